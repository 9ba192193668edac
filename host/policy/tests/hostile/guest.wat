;; The first kilobyte is for answers, the rest for the host's questions.
(memory $memory (export "memory") 2)
(global $free (mut i32) (i32.const 4096))

;; Memory of a question is never given back: the instance lives for one question.
(func $realloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
  (local $start i32)
  (local.set $start (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
  (global.set $free (i32.add (local.get $start) (local.get $size)))
  (block $enough
    (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
    (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
  (local.get $start))

;; name "guest", version "1.0.0", summary ""
(data $texts (i32.const 1024) "guest1.0.0evil-shared")
(func $describe (export "openmcp:dns-policy/policy@0.1.0#describe") (result i32)
  (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 5))
  (i32.store (i32.const 8) (i32.const 1029)) (i32.store (i32.const 12) (i32.const 5))
  (i32.const 0))

;; ok
(func $check (export "openmcp:dns-policy/policy@0.1.0#check-configuration") (param i32 i32) (result i32)
  (i32.const 0))

;; ok(the base domain)
(func $domain (export "openmcp:dns-policy/policy@0.1.0#domain-filter")
  (param $base i32) (param $bytes i32) (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 4) (local.get $base)) (i32.store (i32.const 8) (local.get $bytes))
  (i32.const 0))

;; ok(allow), unless it is time to turn. The claim's host name lies 64 bytes behind the question's start.
(func $verdict (export "openmcp:dns-policy/policy@0.1.0#validate-hostname") (param $question i32) (result i32)
  (if (i32.or (global.get $always) (call $is-evil (i32.load (i32.add (local.get $question) (i32.const 64)))))
    (then (return (call $turn (local.get $question)))))
  (i32.const 0))

;; Whether a name starts with "evil".
(func $is-evil (param $name i32) (result i32)
  (i32.eq (i32.load (local.get $name)) (i32.load (i32.const 1034))))

(func $turn (param $question i32) (result i32) (i32.const 0))

;; ok([])
(func $records (export "openmcp:dns-policy/policy@0.1.0#name-records") (param $question i32) (result i32)
  (i32.const 0))
