//! Time of the pure parts (criterion): codecs, transitions, engine, limiter, judgement, results lines.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

mod pure;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pure");
    group.throughput(Throughput::Elements(pure::TIMES));
    for (name, make) in pure::PARTS {
        let mut run = make();
        group.bench_function(name, |bencher| bencher.iter(&mut run));
    }
    group.finish();
}

criterion_group!(benches, parts);
criterion_main!(benches);
