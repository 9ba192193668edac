;; What a module of the made-up version 0.3.0 does otherwise than `../../hostile/guest.wat`.

;; In place of $describe.
(func $introduce (export "openmcp:dns-policy/policy@0.3.0#introduce") (result i32)
  (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 5))
  (i32.store (i32.const 8) (i32.const 1029)) (i32.store (i32.const 12) (i32.const 5))
  (i32.const 0))

;; Denies with the code "wrong" unless the claim's generation, 112 bytes behind the question's start, is 7;
;; postpones names that start with "evil", because of "wrong".
(data $wrong (i32.const 3000) "wrong10.0.0.1")
(func $verdict (export "openmcp:dns-policy/policy@0.3.0#validate-hostname") (param $question i32) (result i32)
  (if (i64.ne (i64.load (i32.add (local.get $question) (i32.const 112))) (i64.const 7))
    (then
      (i32.store8 (i32.const 4) (i32.const 1))
      (i32.store (i32.const 8) (i32.const 3000)) (i32.store (i32.const 12) (i32.const 5))
      (i32.store (i32.const 16) (i32.const 3000)) (i32.store (i32.const 20) (i32.const 5))
      (return (i32.const 0))))
  (if (call $is-evil (i32.load (i32.add (local.get $question) (i32.const 64))))
    (then
      (i32.store8 (i32.const 4) (i32.const 2))
      (i32.store (i32.const 8) (i32.const 3000)) (i32.store (i32.const 12) (i32.const 5))
      (return (i32.const 0))))
  (i32.const 0))

;; One record set at the claimed name, without a time to live: A 10.0.0.1.
(func $records (export "openmcp:dns-policy/policy@0.3.0#name-records") (param $question i32) (result i32)
  (i32.store (i32.const 4) (i32.const 2048)) (i32.store (i32.const 8) (i32.const 1))
  (i32.store (i32.const 2048) (i32.load (i32.add (local.get $question) (i32.const 64))))
  (i32.store (i32.const 2052) (i32.load (i32.add (local.get $question) (i32.const 68))))
  (i32.store (i32.const 2068) (i32.const 2100)) (i32.store (i32.const 2072) (i32.const 1))
  (i32.store (i32.const 2100) (i32.const 3005)) (i32.store (i32.const 2104) (i32.const 8))
  (i32.const 0))
