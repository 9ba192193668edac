;; Counts its calls, and denies every call but the first.
(global $calls (mut i32) (i32.const 0))
(func $turn (param i32) (result i32)
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (i32.store (i32.const 3000) (i32.add (i32.load (i32.const 3000)) (i32.const 1)))
  (i32.or (i32.gt_u (global.get $calls) (i32.const 1)) (i32.gt_u (i32.load (i32.const 3000)) (i32.const 1)))
  (if (then unreachable))
  (i32.const 0))
