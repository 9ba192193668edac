//! Estimates how much a function makes the compiler do.
//!
//! A compiler follows each value of a function into each place that control can come to. A module of
//! 20 kB with a thousand nested loops and a thousand variables in them took it half a minute and
//! 2 GB, one of 12 kB that only declares variables took 4 GB. By their size they could not be told
//! from ordinary ones.

use wasmparser::{
    BinaryReaderError, BlockType, CompositeInnerType, FunctionBody, Operator, TypeSectionReader,
};

/// The types of a core module's functions, as far as they say how many values a block takes.
#[derive(Default)]
pub(crate) struct FunctionTypes {
    /// Parameters and results by the index of the type; 0 for a type of something else.
    values: Vec<u64>,
    /// The most results that a function has.
    most_results: u64,
}

impl FunctionTypes {
    /// Reads the types of a module.
    pub(crate) fn read(&mut self, section: TypeSectionReader<'_>) -> Result<(), BinaryReaderError> {
        for group in section {
            for subtype in group?.types() {
                let values = match &subtype.composite_type.inner {
                    CompositeInnerType::Func(function) => {
                        self.most_results = self.most_results.max(function.results().len() as u64);
                        function.params().len() + function.results().len()
                    }
                    _ => 0,
                };
                self.values.push(values as u64);
            }
        }
        Ok(())
    }

    /// How many values can come to how many places: the places where control parts or meets, times the
    /// variables in use and the most values that a block passes on; and the values that are made by
    /// a few bytes each, which are declared variables and the results of calls.
    pub(crate) fn work(&self, body: &FunctionBody<'_>) -> Result<u64, BinaryReaderError> {
        let mut places = 0_u64;
        let mut calls = 0_u64;
        let mut declared = 0_u64;
        let mut passed = 0_u64;
        let mut variables = Vec::new();
        for group in body.get_locals_reader()? {
            declared += u64::from(group?.0);
        }
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                    places += 1;
                    if let BlockType::FuncType(index) = blockty {
                        let index = usize::try_from(index).unwrap_or(usize::MAX);
                        passed = passed.max(self.values.get(index).copied().unwrap_or(0));
                    }
                }
                Operator::Call { .. } | Operator::CallIndirect { .. } => calls += 1,
                Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } => places += 1,
                Operator::BrTable { targets } => places += u64::from(targets.len()) + 1,
                Operator::LocalGet { local_index }
                | Operator::LocalSet { local_index }
                | Operator::LocalTee { local_index } => variables.push(local_index),
                _ => {}
            }
        }
        variables.sort_unstable();
        variables.dedup();
        let followed = places.saturating_mul(variables.len() as u64 + passed);
        let made = declared.saturating_add(calls.saturating_mul(self.most_results));
        Ok(followed.saturating_add(made))
    }
}
