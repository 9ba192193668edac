(func $turn (param i32) (result i32) (i32.const 3))
