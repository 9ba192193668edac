;; A record set for a name of somebody else.
(data $foreign (i32.const 3000) "www.example.com10.0.0.1")
(func $records (export "openmcp:dns-policy/policy@0.1.0#name-records") (param i32) (result i32)
  (i32.store (i32.const 4) (i32.const 2048)) (i32.store (i32.const 8) (i32.const 1))
  (i32.store (i32.const 2048) (i32.const 3000)) (i32.store (i32.const 2052) (i32.const 15))
  (i32.store (i32.const 2060) (i32.const 60))
  (i32.store (i32.const 2064) (i32.const 2100)) (i32.store (i32.const 2068) (i32.const 1))
  (i32.store (i32.const 2100) (i32.const 3015)) (i32.store (i32.const 2104) (i32.const 8))
  (i32.const 0))
