;; A denial whose message is two megabytes long.
(memory $memory (export "memory") 40)
(func $turn (param i32) (result i32)
  (i32.store8 (i32.const 4) (i32.const 1))
  (i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const 5))
  (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 2000000))
  (i32.const 0))
