//! Reports: every format of one model, what is kept out of them, baselines, shards.

#[path = "reports/baseline.rs"]
mod baseline;
#[path = "reports/command.rs"]
mod command;
#[path = "reports/formats.rs"]
mod formats;
#[path = "reports/hostile.rs"]
mod hostile;
#[path = "reports/json.rs"]
mod json;
#[path = "reports/merge.rs"]
mod merge;
#[path = "reports/not_judged.rs"]
mod not_judged;
#[path = "reports/pipelines.rs"]
mod pipelines;
#[path = "reports/redaction.rs"]
mod redaction;
#[path = "reports/sample.rs"]
mod sample;
