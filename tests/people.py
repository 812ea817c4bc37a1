from konectom.security.passwords import Passwords
QUICK = Passwords(time_cost=1, memory_kib=64, lanes=1)
