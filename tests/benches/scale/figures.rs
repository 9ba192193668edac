//! What is measured, and how it is printed.

use std::collections::BTreeMap;

/// One figure; in the order in which they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    RawSeconds,
    RawTransactions,
    ColdSeconds,
    ColdCpuSeconds,
    ColdTransactions,
    CoreBytes,
    PeakBytes,
    ResidentMib,
    RestCpu,
    RestTransactions,
    ChangeP50,
    ChangeP99,
    ChangeCpu,
    ChangeTransactions,
    QuietP99,
    BesideP99,
    HostileRate,
    SameSeconds,
    SameTransactions,
    OtherSeconds,
    OtherTransactions,
    StoreRestartSeconds,
    StoreRestartTransactions,
    RestartSeconds,
    RestartTransactions,
    EvacuationSeconds,
    ReturnSeconds,
}

/// Each with what it says and how many digits of it mean something.
pub(crate) const ALL: [(Figure, &str, usize); 27] = [
    (Figure::RawSeconds, "raw: the same keys in batches, s", 2),
    (Figure::RawTransactions, "raw: transactions", 0),
    (Figure::ColdSeconds, "cold start until all is settled, s", 2),
    (Figure::ColdCpuSeconds, "cold start: processor time, s", 2),
    (Figure::ColdTransactions, "cold start: transactions", 0),
    (Figure::CoreBytes, "memory a name, allocated, bytes", 0),
    (Figure::PeakBytes, "memory a name at the peak of the cold start, bytes", 0),
    (Figure::ResidentMib, "memory of the process, resident, MiB", 0),
    (Figure::RestCpu, "at rest: processor time a second, ms", 2),
    (Figure::RestTransactions, "at rest: transactions", 0),
    (Figure::ChangeP50, "one change until it is recorded, p50, ms", 3),
    (Figure::ChangeP99, "one change, p99, ms", 3),
    (Figure::ChangeCpu, "one change: processor time, ms", 3),
    (Figure::ChangeTransactions, "one change: transactions", 2),
    (Figure::QuietP99, "one change, p99 while all is quiet, ms", 3),
    (Figure::BesideP99, "one change, p99 beside a hostile cluster, ms", 3),
    (Figure::HostileRate, "changes a second of the hostile cluster", 0),
    (Figure::SameSeconds, "module swap, same answers, s", 2),
    (Figure::SameTransactions, "module swap, same answers: transactions", 0),
    (Figure::OtherSeconds, "module swap, each record another, s", 2),
    (Figure::OtherTransactions, "module swap, each record another: transactions", 0),
    (Figure::StoreRestartSeconds, "restart of the store until a change is recorded, s", 2),
    (Figure::StoreRestartTransactions, "restart of the store: transactions", 0),
    (Figure::RestartSeconds, "restart of the service until all is settled, s", 2),
    (Figure::RestartTransactions, "restart of the service: transactions", 0),
    (Figure::EvacuationSeconds, "a cluster is taken out of at most 10,000 shared names, s", 2),
    (Figure::ReturnSeconds, "and comes back, s", 2),
];

/// All figures of one landscape.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<Figure, f64>);

impl Figures {
    pub(crate) fn add(&mut self, figure: Figure, value: f64) {
        self.0.insert(figure, value);
    }

    pub(crate) fn get(&self, figure: Figure) -> f64 {
        self.0.get(&figure).copied().unwrap_or(f64::NAN)
    }

    /// For [`Self::read`].
    pub(crate) fn write(&self) -> String {
        let lines = self.0.iter().map(|(figure, value)| format!("{} {value}\n", *figure as usize));
        lines.collect()
    }

    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            let (figure, value) = line.split_once(' ')?;
            let (figure, ..) = ALL.get(figure.parse::<usize>().ok()?)?;
            Some((*figure, value.parse().ok()?))
        });
        Self(lines.collect())
    }
}
