(memory $memory (export "memory") 1600)
