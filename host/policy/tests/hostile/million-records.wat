;; A list of a million record sets.
(memory $memory (export "memory") 200)
(func $records (export "openmcp:dns-policy/policy@0.1.0#name-records") (param i32) (result i32)
  (i32.store (i32.const 4) (i32.const 4096)) (i32.store (i32.const 8) (i32.const 500000))
  (i32.const 0))
