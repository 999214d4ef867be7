//! A line a request.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::json;

use super::Record;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// To people, on stdout.
    Text,
    /// To programs, on stdout, as JSON.
    Json,
    /// To people, on stderr, where stdout is somebody else's.
    Aside,
    /// Nowhere.
    None,
}

impl Lines {
    /// A record's line, without its end.
    pub(super) fn line(self, record: &Record) -> String {
        match self {
            Self::Json => for_programs(record),
            Self::Text | Self::Aside | Self::None => for_people(record),
        }
    }
}

fn for_people(record: &Record) -> String {
    let status = record.status.map_or(0, |status| status.as_u16());
    let remark = record.remark.as_deref().unwrap_or_default();
    let line = format!(
        "{} {} {} {} {status} {} {} {remark}",
        time(record.began),
        record.who.name,
        record.method,
        record.url,
        size(record.response.body.size),
        duration(record.took),
    );
    line.trim_end().to_owned()
}

fn for_programs(record: &Record) -> String {
    json!({
        "time": time(record.began),
        "from": record.who.name,
        "container": record.who.container,
        "service": record.who.service,
        "project": record.who.project,
        "method": record.method.as_str(),
        "url": record.url,
        "status": record.status.map(|status| status.as_u16()),
        "size": record.response.body.size,
        "seconds": record.took.as_secs_f64(),
        "remark": record.remark,
    })
    .to_string()
}

/// As RFC 3339, to the millisecond.
pub(in crate::interceptor) fn time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Since 1970.
pub(in crate::interceptor) fn seconds(at: SystemTime) -> f64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(bytes: u64) -> String {
    let scaled = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", scaled(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", scaled(1_000_000)),
        _ => format!("{:.1} GB", scaled(1_000_000_000)),
    }
}

fn duration(took: Duration) -> String {
    match took.as_secs() {
        0 => format!("{} ms", took.as_millis()),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_234, "1.2 kB"),
            (5_600_000, "5.6 MB"),
            (7_000_000_000, "7.0 GB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(duration(Duration::from_micros(12_900)), "12 ms");
        assert_eq!(duration(Duration::from_millis(1_260)), "1.3 s");
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(time(at), "1970-01-01T00:00:01.500Z");
    }
}
