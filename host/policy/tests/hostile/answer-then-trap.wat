;; Gives an answer, and traps when it is told that the answer has been read.
(func $after (export "cabi_post_openmcp:dns-policy/policy@0.1.0#validate-hostname") (param i32) (call $turn (i32.const 0)) drop)
(func $turn (param $question i32) (result i32)
  (if (i32.eqz (local.get $question)) (then unreachable))
  (i32.const 0))
