use data::Random;

#[test]
fn numbers_are_those_of_splitmix64() {
    let mut random = Random::keyed(&[]);
    let reference = [
        0xe220_a839_7b1d_cdaf,
        0x6e78_9e6a_a1b9_65f4,
        0x06c4_5d18_8009_454f,
    ];
    assert_eq!(reference.map(|_| random.next_u64()), reference);
}

#[test]
fn keyed_streams_never_change_between_versions() {
    assert_eq!(
        [
            Random::keyed(&[1]),
            Random::keyed(&[1, 2, 3]),
            Random::keyed(&[3, 2, 1])
        ]
        .map(|mut random| random.next_u64()),
        GOLDEN
    );
}

const GOLDEN: [u64; 3] = [
    6_791_897_765_849_424_158,
    1_321_962_074_176_129_191,
    14_059_882_647_929_795_700,
];

#[test]
fn a_bounded_number_is_below_its_bound_and_reaches_every_value_equally() {
    let mut counts = [0_u32; 7];
    let mut random = Random::keyed(&[5]);
    for _ in 0..70_000 {
        counts[random.below(7) as usize] += 1;
    }
    assert!(
        counts.iter().all(|count| (9_500..10_500).contains(count)),
        "{counts:?}"
    );
    assert_eq!(random.below(1), 0);
    assert_eq!(random.below(0), 0);
}

#[test]
fn a_symmetric_number_fills_minus_one_to_one() {
    let mut random = Random::keyed(&[6]);
    let drawn: Vec<f64> = (0..10_000).map(|_| random.symmetric()).collect();
    assert!(drawn.iter().all(|value| (-1.0..1.0).contains(value)));
    assert!(drawn.iter().any(|&value| value < -0.99) && drawn.iter().any(|&value| value > 0.99));
    assert!(drawn.iter().sum::<f64>().abs() < 200.0);
}

#[test]
fn a_shuffle_keeps_every_item() {
    let mut items: Vec<u32> = (0..1000).collect();
    Random::keyed(&[7]).shuffle(&mut items);
    assert_ne!(items, (0..1000).collect::<Vec<_>>());
    items.sort_unstable();
    assert_eq!(items, (0..1000).collect::<Vec<_>>());
    Random::keyed(&[7]).shuffle::<u8>(&mut []);
}
