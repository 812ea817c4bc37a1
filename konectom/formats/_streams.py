"""The streams that konectom knows: their columns, and what these measure."""

from __future__ import annotations

from dataclasses import dataclass

DOWN, MOVE, UP = "down", "move", "up"
AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stream: the columns that have its unit, those that have none, and texts with their values."""

    dimension: str
    columns: tuple[str, ...]
    plain: tuple[str, ...] = ()
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()
    optional: tuple[str, ...] = ()
    means: str = ""


KINDS = {
    "accelerometer": Kind("acceleration", AXES, means="Acceleration with gravity: at rest upright, y is +9.81 m/s2."),
    "user_acceleration": Kind("acceleration", AXES, means="Acceleration with gravity taken out by the phone."),
    "gravity": Kind("acceleration", AXES, means="Gravity as the phone estimates it."),
    "gyroscope": Kind("angular velocity", AXES, means="Turning rate, the sensor's bias taken out."),
    "raw_gyroscope": Kind("angular velocity", AXES, means="Turning rate as the sensor gives it."),
    "magnetometer": Kind("magnetic flux density", AXES, means="Magnetic field, the phone's own taken out."),
    "raw_magnetometer": Kind("magnetic flux density", AXES, means="Magnetic field as the sensor gives it."),
    "gps": Kind(
        "position on the ground",
        ("x", "y"),
        plain=("accuracy_m",),
        optional=("accuracy_m",),
        means="Metres to the east and north of any fixed point; accuracy_m is the radius that holds the true place.",
    ),
    "audio": Kind("sound", ("amplitude",), means="Sound as the microphone gives it: 1 is full scale (unit 1)."),
    "touch": Kind(
        "position on the screen",
        ("x", "y"),
        plain=("finger", "pressure", "led_to_success", "valid_pinch"),
        words=(("phase", (DOWN, MOVE, UP)),),
        optional=("finger", "pressure", "led_to_success", "valid_pinch"),
        means="Each sample of each finger on the screen; finger tells fingers apart, pressure is the device's own. "
        "In pinching, led_to_success and valid_pinch are 1 where the app says so.",
    ),
}
