;; The answer lies behind the end of the memory.
(func $turn (param i32) (result i32) (i32.const 0x7ffffff0))
