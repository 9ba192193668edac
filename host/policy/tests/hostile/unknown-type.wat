;; One record set of a type that does not exist.
(func $records (export "openmcp:dns-policy/policy@0.1.0#name-records") (param i32) (result i32)
  (i32.store (i32.const 4) (i32.const 2048)) (i32.store (i32.const 8) (i32.const 1))
  (i32.store8 (i32.const 2056) (i32.const 99))
  (i32.const 0))
