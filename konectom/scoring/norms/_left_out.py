"""What has no norm here, and why."""

from __future__ import annotations

LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("Six-minute walk, Casanova", "Needs the heart rate during the walk."),
    (
        "Six-minute walk, Camarri; Chetta; Hill",
        "Which sex is 1 was not found in the papers' own words; for Camarri's equation neither coding is ruled out by "
        "the mean of its sample.",
    ),
    (
        "Six-minute walk, Italian GEIRD sample (2022)",
        "Needs the habitual physical activity, and its coefficients are printed to two decimals: for men the rounding "
        "of the product of age and height alone may move the prediction by 40 m.",
    ),
    ("Six-minute walk, Britto (Brazilian multicentre study, 2013)", "The ages of its sample were not found."),
    ("Six-minute walk, other equations of the review", "Sample and ages were not found in published text."),
    ("Two-minute walk", "The reference equations of the NIH Toolbox sample were not found in published text."),
    (
        "Gait speed over a two- or six-minute walk, maximum gait speed",
        "The source is about a comfortable pace; for the maximum only the largest and smallest mean were found.",
    ),
    ("Timed 25-foot walk", "No table of healthy people was found in published text."),
    ("Nine-hole peg test", "The tables of Mathiowetz and of the NIH Toolbox were not found in published text."),
    (
        "SDMT",
        "The norms belong to the licensed manual; of public studies only some means were found.",
    ),
    ("PASAT, MSFC", "The norms belong to the licensed manual, and no constants of a reference population were found."),
    ("Timed Up and Go, Tromsø study", "Its centiles by age and sex were not found in published text."),
    (
        "Plasma neurofilament light, z for age and body mass index",
        "The coefficients are not published. The limits by Simrén et al. give no z.",
    ),
    ("Slow vital capacity", "The equations for FVC are not for SVC; none for SVC was found that adults share."),
    (
        "Forced vital capacity, GLI 2012 and NHANES III",
        "They ask for an ethnic group, which no record holds; the American Thoracic Society advises against it.",
    ),
    (
        "Hand-held dynamometry",
        "The norms hold for one device, muscle and position each; none was found in published text.",
    ),
    ("MoCA", "Below 26 of 30 is a cut-off for screening, not a norm; it belongs to the scale, which is licensed."),
    ("PHQ-9, GAD-7", "Their cut-offs belong to the scales."),
    ("EDSS, PDDS, ALSFRS-R, MSIS-29, MSWS-12, HFMSE, RULM", "They measure disease: healthy people have none."),
)
