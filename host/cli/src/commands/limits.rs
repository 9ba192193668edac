//! What policy modules may use, as options of the commands that run them.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches as _, value_parser};
use openmcp_dns_policy::{Engine, Limits};

use crate::terminal::hint::hinted;

/// What policy modules may use. Fuel is the limit that modules meet; all others are backstops.
///
/// The ranges keep out what cannot work (a question needs room for a configuration of 64 KiB) and what
/// the WebAssembly engine does not take (memory of 4 GiB, functions of 7,654,321 bytes).
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Policy limits")]
pub struct LimitArgs {
    /// Instructions that one question to a module may run; one is about one nanosecond. The standard
    /// module takes some ten thousand, one in Python some hundred thousand, one in JavaScript some million.
    /// Raise it for a module that fails with OutOfFuel; a hostile module can then keep a processor busy
    /// for that much longer
    #[arg(long, env = "OPENMCP_DNS_POLICY_FUEL", value_name = "INSTRUCTIONS",
        default_value_t = Limits::default().fuel, value_parser = value_parser!(u64).range(1_000..=10_000_000_000))]
    policy_fuel: u64,

    /// How long one question may take on the clock, in milliseconds, measured in steps of 10. It ends what
    /// does not burn fuel; raise it together with the fuel, or on a machine that stalls
    #[arg(long, env = "OPENMCP_DNS_POLICY_DEADLINE_MS", value_name = "MILLISECONDS",
        default_value_t = milliseconds(Limits::default().deadline), value_parser = value_parser!(u64).range(10..=60_000))]
    policy_deadline_ms: u64,

    /// Memory of a module while it answers, in bytes. Raise it for a module that fails with Memory; each
    /// question that is asked at the same time may use that much
    #[arg(long, env = "OPENMCP_DNS_POLICY_MEMORY_BYTES", value_name = "BYTES",
        default_value_t = number(Limits::default().memory_bytes), value_parser = value_parser!(u64).range(65_536..=4_294_967_296))]
    policy_memory_bytes: u64,

    /// Elements of one table of functions. The largest language runtimes have 10,000; each takes 8 bytes
    /// for each question that is asked at the same time
    #[arg(long, env = "OPENMCP_DNS_POLICY_TABLE_ELEMENTS", value_name = "ELEMENTS",
        default_value_t = number(Limits::default().table_elements), value_parser = value_parser!(u64).range(1..=1_000_000))]
    policy_table_elements: u64,

    /// Size of a module in bytes. Raise it to 33554432 for modules in JavaScript or Python; compiling takes
    /// 50 to 100 times a module's size in memory (give the service 1 GiB then) and a second for each megabyte
    #[arg(long, env = "OPENMCP_DNS_POLICY_MODULE_BYTES", value_name = "BYTES",
        default_value_t = number(Limits::default().module_bytes), value_parser = value_parser!(u64).range(1_024..=268_435_456))]
    policy_module_bytes: u64,

    /// Functions in a module. It bounds what a small module can make the compiler do; raise it together
    /// with the size
    #[arg(long, env = "OPENMCP_DNS_POLICY_FUNCTIONS", value_name = "FUNCTIONS",
        default_value_t = Limits::default().functions, value_parser = value_parser!(u32).range(1..=1_000_000))]
    policy_functions: u32,

    /// Code of one function in bytes. Raise it to 1048576 for Python, whose runtime has one of 420 KiB;
    /// compiling takes more than proportionally long for large functions
    #[arg(long, env = "OPENMCP_DNS_POLICY_FUNCTION_BYTES", value_name = "BYTES",
        default_value_t = number(Limits::default().function_bytes), value_parser = value_parser!(u64).range(1_024..=7_654_321))]
    policy_function_bytes: u64,

    /// What a module may make the compiler do: values followed through the code, about one for each byte of
    /// ordinary code; one function may have a tenth of it. The worst modules that fit the default keep the compiler busy for 20 seconds with
    /// 200 MB. Raise it to 10000000 for modules in JavaScript or Python
    #[arg(long, env = "OPENMCP_DNS_POLICY_COMPILE_WORK", value_name = "VALUES",
        default_value_t = Limits::default().compile_work, value_parser = value_parser!(u64).range(1_000..=1_000_000_000))]
    policy_compile_work: u64,

    /// Texts of one question in bytes, configuration included (64 KiB at most). Raise it for objects with
    /// very many labels or addresses
    #[arg(long, env = "OPENMCP_DNS_POLICY_QUESTION_BYTES", value_name = "BYTES",
        default_value_t = number(Limits::default().question_bytes), value_parser = value_parser!(u64).range(131_072..=67_108_864))]
    policy_question_bytes: u64,

    /// What one answer may take in the memory of the service, in bytes. The default is enough for 16 record
    /// sets of 64 long values
    #[arg(long, env = "OPENMCP_DNS_POLICY_ANSWER_BYTES", value_name = "BYTES",
        default_value_t = number(Limits::default().answer_bytes), value_parser = value_parser!(u64).range(4_096..=67_108_864))]
    policy_answer_bytes: u64,

    /// How many questions may be asked at once; more wait. Without it, two for each processor and at
    /// least 4. Memory is set aside for each
    #[arg(long, env = "OPENMCP_DNS_POLICY_CONCURRENT_CALLS", value_name = "CALLS",
        value_parser = value_parser!(u32).range(1..=1_024))]
    policy_concurrent_calls: Option<u32>,
}

impl LimitArgs {
    /// An engine with these limits.
    ///
    /// # Errors
    /// When the machine cannot run it.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::new(self.limits())?)
    }

    /// The limits that the environment says, for commands that have no options for them: whoever
    /// writes a module sets the variables of the service once, and gets its answers.
    ///
    /// # Errors
    /// When a variable is out of range.
    pub fn from_environment() -> anyhow::Result<Self> {
        parse(&[]).map_err(|error| {
            let text = error.to_string();
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            hinted(message, "correct the environment variable OPENMCP_DNS_POLICY_... of this limit")
        })
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        let Self {
            policy_fuel: fuel,
            policy_deadline_ms,
            policy_memory_bytes,
            policy_table_elements,
            policy_module_bytes,
            policy_functions: functions,
            policy_function_bytes,
            policy_compile_work: compile_work,
            policy_question_bytes,
            policy_answer_bytes,
            policy_concurrent_calls,
        } = *self;
        let calls = policy_concurrent_calls.and_then(|calls| NonZeroUsize::new(size(calls.into())));
        Limits {
            fuel,
            deadline: Duration::from_millis(policy_deadline_ms),
            memory_bytes: size(policy_memory_bytes),
            table_elements: size(policy_table_elements),
            module_bytes: size(policy_module_bytes),
            functions,
            function_bytes: size(policy_function_bytes),
            compile_work,
            question_bytes: size(policy_question_bytes),
            answer_bytes: size(policy_answer_bytes),
            concurrent_calls: calls.unwrap_or(Limits::default().concurrent_calls),
        }
    }
}

fn parse(arguments: &[&str]) -> Result<LimitArgs, clap::Error> {
    let command = LimitArgs::augment_args(Command::new("openmcp-dns").no_binary_name(true));
    LimitArgs::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// More than the address space is as good as all of it.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn number(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_options_the_limits_are_the_defaults() {
        assert_eq!(parse(&[]).unwrap().limits(), Limits::default());
    }

    #[test]
    fn every_option_sets_its_own_limit() {
        let limits = parse(&[
            "--policy-fuel=1001",
            "--policy-deadline-ms=20",
            "--policy-memory-bytes=131072",
            "--policy-table-elements=4",
            "--policy-module-bytes=5000",
            "--policy-functions=6",
            "--policy-function-bytes=7000",
            "--policy-compile-work=8000",
            "--policy-question-bytes=200000",
            "--policy-answer-bytes=10000",
            "--policy-concurrent-calls=11",
        ]);
        let expected = Limits {
            fuel: 1001,
            deadline: Duration::from_millis(20),
            memory_bytes: 131_072,
            table_elements: 4,
            module_bytes: 5000,
            functions: 6,
            function_bytes: 7000,
            compile_work: 8000,
            question_bytes: 200_000,
            answer_bytes: 10_000,
            concurrent_calls: NonZeroUsize::new(11).unwrap(),
        };
        assert_eq!(limits.unwrap().limits(), expected);
    }

    #[test]
    fn a_limit_that_nothing_fits_into_is_refused_with_the_range() {
        for option in [
            "--policy-fuel",
            "--policy-deadline-ms",
            "--policy-memory-bytes",
            "--policy-table-elements",
            "--policy-module-bytes",
            "--policy-functions",
            "--policy-function-bytes",
            "--policy-compile-work",
            "--policy-question-bytes",
            "--policy-answer-bytes",
            "--policy-concurrent-calls",
        ] {
            for value in ["0", "99999999999999"] {
                let error = parse(&[&format!("{option}={value}")]).unwrap_err().to_string();
                assert!(error.contains(option) && error.contains(".."), "{error}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_ranges_make_an_engine_that_loads_or_refuses() {
        let small = parse(&["--policy-memory-bytes=65536", "--policy-table-elements=1"]).unwrap();
        let error = small.engine().unwrap().load(openmcp_dns_policy::STANDARD, "{}").unwrap_err();
        assert_eq!(error.reason().as_str(), "ModuleTooLarge", "{error}");
        let large = parse(&[
            "--policy-memory-bytes=4294967296",
            "--policy-table-elements=1000000",
            "--policy-module-bytes=268435456",
        ]);
        large.unwrap().engine().unwrap().load(openmcp_dns_policy::STANDARD, "{}").unwrap();
    }
}
