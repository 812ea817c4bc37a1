"""What values mean over years: clinical scales, baselines, change, trends. Pure: numpy in, frozen results out."""
