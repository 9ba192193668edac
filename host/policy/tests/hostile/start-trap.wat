(func $now unreachable)
(start $now)
