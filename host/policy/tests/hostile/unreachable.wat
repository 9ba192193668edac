(func $turn (param i32) (result i32) unreachable)
