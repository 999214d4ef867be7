//! How metrics are written, each with its description.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Labels with their values.
type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

/// What is being written.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    pub(super) fn metric(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        metric: &impl EncodeMetric,
    ) -> fmt::Result {
        let kind = metric.metric_type();
        metric.encode(self.0.encode_descriptor(name, help, unit, kind)?)
    }

    pub(super) fn family<M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        lines: impl IntoIterator<Item = (impl EncodeLabelSet, M)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, metric) in lines {
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    pub(super) fn info(&mut self, name: &str, help: &str, labels: &Labels<'_, 2>) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Info)?
            .encode_info(labels)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        self.metric(name, help, None, &ConstGauge::new(value))
    }

    pub(super) fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        lines: impl IntoIterator<Item = (Labels<'l, N>, i64)>,
    ) -> fmt::Result {
        let lines = lines.into_iter();
        let lines = lines.map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, help, MetricType::Gauge, lines)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        self.metric(name, help, None, &ConstCounter::new(count))
    }

    pub(super) fn every_counter<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        lines: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let lines = lines.into_iter();
        let lines = lines.map(|(labels, count)| (labels, ConstCounter::new(count)));
        self.family(name, help, MetricType::Counter, lines)
    }

    /// Those that have counted anything.
    pub(super) fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        lines: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let lines = lines.into_iter().filter(|(_, count)| *count > 0);
        self.every_counter(name, help, lines)
    }
}
