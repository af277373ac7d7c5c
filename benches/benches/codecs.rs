//! What each codec takes to write and to read a typical value, beside bare `serde_json`, and how large it gets.

use std::{any::type_name, hint::black_box, time::Duration};

use benches::User;
use cache_core::codec::{Bincode, Codec, Json, MessagePack, Postcard};
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};

fn codecs(criterion: &mut Criterion) {
    let user = User::sample(7);

    let mut group = criterion.benchmark_group("codecs/encode");
    group.bench_function("bare serde_json", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            serde_json::to_writer(&mut out, black_box(&*user)).expect("a user is JSON");
            black_box(&out);
        });
    });
    encode(&mut group, &Json, &user);
    encode(&mut group, &MessagePack, &user);
    encode(&mut group, &Postcard, &user);
    encode(&mut group, &Bincode, &user);
    group.finish();

    let mut group = criterion.benchmark_group("codecs/decode");
    group.bench_function("bare serde_json", |bencher| {
        let json = serde_json::to_vec(&user).expect("a user is JSON");
        bencher.iter(|| serde_json::from_slice::<User>(black_box(&json)));
    });
    decode(&mut group, &Json, &user);
    decode(&mut group, &MessagePack, &user);
    decode(&mut group, &Postcard, &user);
    decode(&mut group, &Bincode, &user);
    group.finish();
}

fn encode<C: Codec>(group: &mut BenchmarkGroup<'_, WallTime>, codec: &C, user: &User) {
    let size = encoded(codec, user).len();
    // Not to where a test runner looks for the list of benchmarks.
    eprintln!("{}: {size} bytes of {}", C::NAME, type_name::<User>());
    group.bench_function(C::NAME, |bencher| {
        let mut out = Vec::with_capacity(size);
        bencher.iter(|| {
            out.clear();
            codec.encode(black_box(user), &mut out).expect("every codec can write a user");
            black_box(&out);
        });
    });
}

fn decode<C: Codec>(group: &mut BenchmarkGroup<'_, WallTime>, codec: &C, user: &User) {
    let bytes = encoded(codec, user);
    let back: User = codec.decode(&bytes).expect("every codec can read a user");
    assert_eq!(&back, user);
    group.bench_function(C::NAME, |bencher| bencher.iter(|| codec.decode::<User>(black_box(&bytes))));
}

fn encoded<C: Codec>(codec: &C, user: &User) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(user, &mut bytes).expect("every codec can write a user");
    bytes
}

criterion_group! {
    name = group;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = codecs
}
criterion_main!(group);
