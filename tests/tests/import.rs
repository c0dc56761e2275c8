//! Weights exchanged with PyTorch, through the real binary: exported under PyTorch's names, and imported from
//! files as PyTorch writes them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use tests::{Sandbox, asking::png, pretrained};

/// A safetensors file as bytes: a header of JSON after its length, then numbers.
struct File {
    /// By name: type, shape, bytes.
    tensors: BTreeMap<String, (String, Vec<usize>, Vec<u8>)>,
}

impl File {
    fn read(bytes: &[u8]) -> Self {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let body = &bytes[8 + length..];
        let tensors = header.as_object().unwrap().iter();
        let tensors = tensors.filter(|(name, _)| *name != "__metadata__");
        let tensors = tensors.map(|(name, tensor)| {
            let numbers =
                |key: &str| -> Vec<usize> { serde_json::from_value(tensor[key].clone()).unwrap() };
            let at = numbers("data_offsets");
            let dtype = tensor["dtype"].as_str().unwrap().to_owned();
            let bytes = body[at[0]..at[1]].to_vec();
            (name.clone(), (dtype, numbers("shape"), bytes))
        });
        File {
            tensors: tensors.collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (mut header, mut body) = (serde_json::Map::new(), Vec::new());
        for (name, (dtype, shape, bytes)) in &self.tensors {
            let at = [body.len(), body.len() + bytes.len()];
            let tensor = json!({ "dtype": dtype, "shape": shape, "data_offsets": at });
            header.insert(name.clone(), tensor);
            body.extend(bytes);
        }
        let header = Value::from(header).to_string();
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &body].concat()
    }

    /// Adds a tensor of 32-bit numbers that differ.
    fn add(&mut self, name: &str, shape: &[usize]) {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|at| ((at * 37 + name.len()) % 101) as f32 / 500.0 - 0.1);
        let bytes = values.flat_map(f32::to_le_bytes).collect();
        self.tensors
            .insert(name.to_owned(), ("F32".to_owned(), shape.to_vec(), bytes));
    }

    fn renamed(&self, name: impl Fn(&str) -> String) -> Self {
        let tensors = self.tensors.iter();
        File {
            tensors: tensors
                .map(|(known, tensor)| (name(known), tensor.clone()))
                .collect(),
        }
    }

    /// The numbers of all tensors in another type.
    fn converted(&self, dtype: &str, convert: impl Fn(f32) -> Vec<u8>) -> Self {
        let tensors = self.tensors.iter().map(|(name, (known, shape, bytes))| {
            let numbers = bytes.as_chunks().0.iter();
            let tensor = match &known[..] {
                "F32" => {
                    let numbers = numbers.map(|&four| f32::from_le_bytes(four));
                    (
                        dtype.to_owned(),
                        shape.clone(),
                        numbers.flat_map(&convert).collect(),
                    )
                }
                _ => (known.clone(), shape.clone(), bytes.clone()),
            };
            (name.clone(), tensor)
        });
        File {
            tensors: tensors.collect(),
        }
    }
}

/// The network of PyTorch's own example for MNIST, with fewer channels.
const EXAMPLE: &str = r#"
classes = 10
picture = "framed"
input = { channels = 1, height = 28, width = 28 }
normalization = { mean = 0.1307, std = 0.3081 }
[network]
blocks = [{ channels = 4, kernel = 3, pool = false }, { channels = 8, kernel = 3 }]
dense = [16]
norm = false
order = "conv-norm-relu-pool"
dropout = 0.5
"#;

fn example() -> File {
    let mut file = File {
        tensors: BTreeMap::new(),
    };
    for (layer, weight) in [
        ("conv1", &[4, 1, 3, 3][..]),
        ("conv2", &[8, 4, 3, 3]),
        ("fc1", &[16, 1152]),
        ("fc2", &[10, 16]),
    ] {
        file.add(&format!("{layer}.weight"), weight);
        file.add(&format!("{layer}.bias"), &weight[..1]);
    }
    file
}

/// Imports a file into the folder `to`.
fn import<'a>(sandbox: &Sandbox, file: &File, architecture: &str, to: &'a str) -> [&'a str; 7] {
    fs::write(sandbox.path("model.safetensors"), file.bytes()).unwrap();
    fs::write(sandbox.path("net.toml"), architecture).unwrap();
    [
        "import",
        "--from",
        "model.safetensors",
        "--architecture",
        "net.toml",
        "--to",
        to,
    ]
}

fn refused(sandbox: &Sandbox, file: &File, architecture: &str) -> String {
    let line = sandbox.fail("digits", &import(sandbox, file, architecture, "refused"));
    assert!(!sandbox.path("refused").exists(), "{line}");
    line
}

/// What a checkpoint holds, under PyTorch's names.
fn exported(sandbox: &Sandbox, checkpoint: &str) -> Vec<u8> {
    let to = format!("{}-exported", checkpoint.rsplit('/').next().unwrap());
    let arguments = ["export", checkpoint, "--to", &to, "--format", "safetensors"];
    sandbox.succeed("digits", &arguments);
    sandbox.bytes(&format!("{to}/model.safetensors"))
}

fn back(sandbox: &Sandbox, of: &str, to: &str) {
    let [from, architecture] =
        ["model.safetensors", "config.json"].map(|file| format!("{of}-exported/{file}"));
    let arguments = [
        "import",
        "--from",
        &from,
        "--architecture",
        &architecture,
        "--to",
        to,
    ];
    sandbox.succeed("digits", &arguments);
}

#[test]
fn what_is_exported_for_pytorch_comes_back_as_the_same_weights() {
    let sandbox = Sandbox::new();
    let weights = exported(&sandbox, &pretrained().display().to_string());
    let file = File::read(&weights);
    let shape = |name: &str| &file.tensors[name].1[..];
    assert_eq!(shape("blocks.1.conv.weight"), [32, 16, 3, 3]);
    assert_eq!(shape("dense.0.linear.weight"), [128, 576]);
    assert_eq!(shape("blocks.0.norm.running_var"), [16]);
    assert_eq!(file.tensors["blocks.0.norm.num_batches_tracked"].0, "I64");

    back(&sandbox, "pretrained", "again");
    assert!(weights == exported(&sandbox, "again"));
    let [ours, again]: [Value; 2] = [
        serde_json::from_slice(&fs::read(pretrained().join("checkpoint.json")).unwrap()).unwrap(),
        sandbox.json("again/checkpoint.json"),
    ];
    for key in [
        "architecture",
        "input",
        "classes",
        "normalization",
        "views",
        "picture",
    ] {
        assert_eq!(ours[key], again[key], "{key}");
    }
    assert_eq!(again.get("calibration"), None);
    let network = String::from_utf8(sandbox.bytes("pretrained-exported/network.py")).unwrap();
    assert!(network.lines().count() <= 40, "{network}");
    assert!(network.contains("strict=True"));
}

#[test]
fn a_committee_of_colour_images_comes_back_as_the_same_weights() {
    let sandbox = Sandbox::new();
    let pixels: Vec<u8> = (0..52 * 3 * 32 * 32)
        .map(|at| (at * 7919 % 251) as u8)
        .collect();
    let labels: Vec<u8> = (0..52).map(|at| at % 26).collect();
    fs::create_dir(sandbox.path("data")).unwrap();
    for split in ["train", "t10k"] {
        let images = [
            &[
                0, 0, 8, 4, 0, 0, 0, 52, 0, 0, 0, 3, 0, 0, 0, 32, 0, 0, 0, 32,
            ],
            &pixels[..],
        ];
        let named = [&[0, 0, 8, 1, 0, 0, 0, 52], &labels[..]];
        let file = |kind: &str| sandbox.path(&format!("data/{split}-{kind}-ubyte"));
        fs::write(file("images-idx4"), images.concat()).unwrap();
        fs::write(file("labels-idx1"), named.concat()).unwrap();
    }
    sandbox.train(
        "run",
        &[
            "--data-dir",
            "data",
            "--set",
            "data.validation=0",
            "--set",
            "training.members=2",
            "--set",
            "training.epochs=1",
            "--set",
            "training.plain_epochs=0",
        ],
    );
    let weights = exported(&sandbox, "run/model");
    let file = File::read(&weights);
    assert_eq!(
        file.tensors["members.1.blocks.0.conv.weight"].1,
        [8, 3, 3, 3]
    );
    assert_eq!(file.tensors["members.0.output.weight"].1, [26, 32]);
    back(&sandbox, "model", "again");
    assert!(weights == exported(&sandbox, "again"));
}

#[test]
fn imported_weights_are_used_and_nothing_that_they_say_is_accepted() {
    let sandbox = Sandbox::new();
    let told = sandbox.succeed("digits", &import(&sandbox, &example(), EXAMPLE, "net"));
    assert!(told.stdout.contains("not calibrated"), "{}", told.stdout);
    let shown = sandbox.succeed("digits", &["inspect", "net"]).stdout;
    assert!(
        shown.contains("not calibrated: nothing is accepted"),
        "{shown}"
    );
    sandbox.succeed("digits", &["verify", "net"]);

    let (images, _) = tests::asking::mnist(1);
    fs::write(sandbox.path("seven.png"), png(&images)).unwrap();
    let said = sandbox.succeed("digits", &["predict", "net", "seven.png", "--json"]);
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        (&answer["accepted"], &answer["reason"]),
        (&false.into(), &"unreliable".into())
    );
    assert!(said.stderr.contains("not calibrated"), "{}", said.stderr);

    // A checkpoint that is there stays, unless it is to be replaced.
    let again = import(&sandbox, &example(), EXAMPLE, "net");
    let line = sandbox.fail("digits", &again);
    assert!(line.contains("net") && line.contains("--force"), "{line}");
    sandbox.succeed("digits", &[&again[..], &["--force"]].concat());
    fs::create_dir(sandbox.path("mine")).unwrap();
    fs::write(sandbox.path("mine/letter.txt"), "dear").unwrap();
    let mine = import(&sandbox, &example(), EXAMPLE, "mine");
    sandbox.fail("digits", &[&mine[..], &["--force"]].concat());
    assert_eq!(sandbox.bytes("mine/letter.txt"), b"dear");
}

#[test]
fn layers_are_found_by_name_by_position_and_by_shape() {
    let sandbox = Sandbox::new();
    sandbox.succeed("digits", &import(&sandbox, &example(), EXAMPLE, "shape"));
    let weights = exported(&sandbox, "shape");
    let same = |file: &File, architecture: &str, to: &str| {
        sandbox.succeed("digits", &import(&sandbox, file, architecture, to));
        assert!(exported(&sandbox, to) == weights, "{to}");
    };
    let layers = ["conv1", "conv2", "fc1", "fc2"];
    let renamed = |names: [&'static str; 4]| {
        example().renamed(|name| {
            let (layer, leaf) = name.split_once('.').unwrap();
            let at = layers.iter().position(|known| *known == layer).unwrap();
            format!("{}.{leaf}", names[at])
        })
    };
    same(&renamed(["0", "2", "10", "12"]), EXAMPLE, "sequential");
    let split = ["features.0", "features.2", "classifier.1", "classifier.3"];
    same(&renamed(split), EXAMPLE, "two");
    let ours = ["blocks.0.conv", "blocks.1.conv", "dense.0.linear", "output"];
    same(&renamed(ours), EXAMPLE, "ours");
    let table: String = [
        ("blocks.0.conv", "a"),
        ("blocks.1.conv", "b"),
        ("output", "c"),
    ]
    .iter()
    .map(|(ours, theirs)| format!("\"{ours}\" = \"{theirs}\"\n"))
    .collect();
    let tensors =
        "\"dense.0.linear.weight\" = \"d.weight\"\n\"dense.0.linear.bias\" = \"d.bias\"\n";
    let named = format!("{EXAMPLE}[names]\n{table}{tensors}");
    same(&renamed(["a", "b", "d", "c"]), &named, "table");
    let line = refused(
        &sandbox,
        &example(),
        &format!("{EXAMPLE}[names]\n\"blocks.7.conv\" = \"x\"\n"),
    );
    assert!(
        line.contains("`blocks.7.conv`") && line.contains("`dense.0.linear`"),
        "{line}"
    );

    // Two layers that are alike: numbers tell them apart, other names don't.
    let alike = EXAMPLE.replace("dense = [16]", "dense = [16, 16, 16]");
    let mut file = example();
    for layer in ["fc3", "fc10"] {
        file.add(&format!("{layer}.weight"), &[16, 16]);
        file.add(&format!("{layer}.bias"), &[16]);
    }
    sandbox.succeed("digits", &import(&sandbox, &file, &alike, "numbers"));
    let found = File::read(&exported(&sandbox, "numbers"));
    for (ours, theirs) in [("dense.1.linear", "fc3"), ("dense.2.linear", "fc10")] {
        let [ours, theirs] = [ours, theirs].map(|layer| format!("{layer}.weight"));
        assert!(
            found.tensors[&ours].2 == file.tensors[&theirs].2,
            "{theirs}"
        );
    }
    let unclear = file.renamed(|name| name.replace("fc3", "middle").replace("fc10", "last"));
    let line = refused(&sandbox, &unclear, &alike);
    assert!(
        line.contains("`last`, `middle`") && line.contains("[names]"),
        "{line}"
    );

    // Layers that are numbered have to be the architecture's.
    let norm = EXAMPLE.replace("norm = false", "norm = true");
    let line = refused(&sandbox, &renamed(["0", "2", "10", "12"]), &norm);
    assert!(
        line.contains("`2` convolution [8, 4, 3, 3]") && line.contains("normalization [4]"),
        "{line}"
    );
}

#[test]
fn what_all_names_begin_with_and_counters_are_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.succeed("digits", &import(&sandbox, &example(), EXAMPLE, "bare"));
    let weights = exported(&sandbox, "bare");
    for (to, prefix) in [("parallel", "module."), ("compiled", "_orig_mod.module.")] {
        for (form, file) in [("theirs", example()), ("ours", File::read(&weights))] {
            let mut file = file.renamed(|name| format!("{prefix}{name}"));
            let counter = ("I64".into(), vec![], vec![9, 0, 0, 0, 0, 0, 0, 0]);
            file.tensors.insert("n_averaged".into(), counter);
            let to = format!("{to}-{form}");
            sandbox.succeed("digits", &import(&sandbox, &file, EXAMPLE, &to));
            assert!(exported(&sandbox, &to) == weights, "{to}");
        }
    }
    let mut file = File::read(&weights).renamed(|name| format!("module.{name}"));
    file.add("decay", &[]);
    let line = refused(&sandbox, &file, EXAMPLE);
    assert!(line.contains("`decay`"), "{line}");
}

#[test]
fn a_bias_before_a_normalization_is_taken_from_its_mean() {
    let sandbox = Sandbox::new();
    let architecture = EXAMPLE.replace("norm = false", "norm = true");
    let mut file = example();
    for (norm, channels) in [("bn1", 4), ("bn2", 8), ("bn3", 16)] {
        for leaf in ["weight", "bias", "running_mean"] {
            file.add(&format!("{norm}.{leaf}"), &[channels]);
        }
        let ones = vec![1.0_f32; channels].into_iter();
        let variance = ones.flat_map(f32::to_le_bytes).collect();
        let name = format!("{norm}.running_var");
        file.tensors
            .insert(name, ("F32".into(), vec![channels], variance));
        let counter = ("I64".into(), vec![], vec![9, 0, 0, 0, 0, 0, 0, 0]);
        file.tensors
            .insert(format!("{norm}.num_batches_tracked"), counter);
    }
    let told = sandbox.succeed("digits", &import(&sandbox, &file, &architecture, "net"));
    assert!(told.stderr.contains("`conv1.bias`"), "{}", told.stderr);
    let found = File::read(&exported(&sandbox, "net"));
    let numbers = |file: &File, name: &str| -> Vec<f32> {
        let bytes = file.tensors[name].2.as_chunks().0.iter();
        bytes.map(|&four| f32::from_le_bytes(four)).collect()
    };
    let (mean, bias) = (
        numbers(&file, "bn1.running_mean"),
        numbers(&file, "conv1.bias"),
    );
    let expected: Vec<f32> = mean
        .iter()
        .zip(&bias)
        .map(|(mean, bias)| mean - bias)
        .collect();
    assert_eq!(numbers(&found, "blocks.0.norm.running_mean"), expected);
}

#[test]
fn each_tensor_that_does_not_fit_is_named() {
    let sandbox = Sandbox::new();
    let table = "[names]\n\"blocks.0.conv\" = \"conv1\"\n\"blocks.1.conv\" = \"conv2\"\n\
                 \"dense.0.linear\" = \"fc1\"\n\"output\" = \"fc2\"\n";
    let named = format!("{EXAMPLE}{table}");
    let mut file = example();
    file.tensors.remove("conv2.bias");
    file.tensors.remove("fc2.bias");
    file.add("fc1.weight", &[1152, 16]);
    file.add("conv1.weight", &[4, 1, 5, 5]);
    file.add("bn1.weight", &[4]);
    file.add("head\n.weight", &[4]);
    let line = refused(&sandbox, &file, &named);
    for part in [
        "missing: `conv2.bias` [8], `fc2.bias` [10]",
        "`conv1.weight` is [4, 1, 5, 5], not [4, 1, 3, 3]",
        "`fc1.weight` is [1152, 16] (transposed), not [16, 1152]",
        "unexpected: `bn1.weight` [4], `head\\n.weight` [4]",
        "model.safetensors",
    ] {
        assert!(line.contains(part), "{part}\n{line}");
    }
}

#[test]
fn weights_of_16_and_64_bits_are_converted_and_others_refused() {
    let sandbox = Sandbox::new();
    let half = |value: f32| (value.to_bits() >> 16) as u16;
    let short = example().converted("F32", |value| {
        f32::from_bits(u32::from(half(value)) << 16)
            .to_le_bytes()
            .to_vec()
    });
    sandbox.succeed("digits", &import(&sandbox, &short, EXAMPLE, "plain"));
    let weights = exported(&sandbox, "plain");
    let brain = short.converted("BF16", |value| half(value).to_le_bytes().to_vec());
    let told = sandbox.succeed("digits", &import(&sandbox, &brain, EXAMPLE, "brain"));
    assert!(told.stderr.contains("16 bits"), "{}", told.stderr);
    assert!(exported(&sandbox, "brain") == weights);
    let wide = short.converted("F64", |value| f64::from(value).to_le_bytes().to_vec());
    let told = sandbox.succeed("digits", &import(&sandbox, &wide, EXAMPLE, "wide"));
    assert!(told.stderr.contains("rounded"), "{}", told.stderr);
    assert!(exported(&sandbox, "wide") == weights);
    // 1.0 in all.
    let ones = example().converted("F16", |_| 0x3c00_u16.to_le_bytes().to_vec());
    sandbox.succeed("digits", &import(&sandbox, &ones, EXAMPLE, "ones"));
    let ones = File::read(&exported(&sandbox, "ones"));
    let one = 1.0_f32.to_le_bytes();
    assert!(
        ones.tensors["output.weight"]
            .2
            .as_chunks()
            .0
            .iter()
            .all(|four| *four == one)
    );

    let integers = example().converted("I8", |_| vec![1]);
    let line = refused(&sandbox, &integers, EXAMPLE);
    assert!(
        line.contains("of type I8") && line.contains("`conv1."),
        "{line}"
    );
    let huge = example().converted("F64", |_| 1e300_f64.to_le_bytes().to_vec());
    let line = refused(&sandbox, &huge, EXAMPLE);
    assert!(line.contains("too large for 32 bits"), "{line}");
    let mut broken = example();
    let values = &mut broken.tensors.get_mut("fc1.bias").unwrap().2;
    values[20..24].copy_from_slice(&f32::NAN.to_le_bytes());
    let line = refused(&sandbox, &broken, EXAMPLE);
    assert!(line.contains("`fc1.bias` holds NaN at 5"), "{line}");
}

#[test]
fn what_is_no_file_of_weights_and_no_architecture_is_said_in_a_line() {
    let sandbox = Sandbox::new();
    let arguments = import(&sandbox, &example(), EXAMPLE, "refused");
    let bytes = example().bytes();
    let mut zip = bytes.clone();
    zip[..4].copy_from_slice(b"PK\x03\x04");
    let longer = [&bytes[..], &[0]].concat();
    for (content, part) in [
        (&zip[..], "torch.save"),
        (&bytes[..bytes.len() - 1], "cut short"),
        (&longer, "cut short or changed"),
        (&bytes[..7], "too short"),
        (&[0xff; 64], "not a safetensors file"),
        (b"\x02\0\0\0\0\0\0\0{]", "not a safetensors file"),
    ] {
        fs::write(sandbox.path("model.safetensors"), content).unwrap();
        let line = sandbox.fail("digits", &arguments);
        assert!(
            line.contains("model.safetensors: ") && line.contains(part),
            "{part}\n{line}"
        );
    }
    for (architecture, part) in [
        (EXAMPLE.replace("norm = false\n", ""), "norm"),
        (EXAMPLE.replace("dense", "dence"), "dence"),
        (EXAMPLE.replace("classes = 10", "classes = 1"), "classes"),
        (
            EXAMPLE.replace("kernel = 3", "kernel = 0"),
            "blocks[0].kernel",
        ),
        (EXAMPLE.replace("std = 0.3081", "std = 0"), "normalization"),
        ("\u{7}".to_owned(), "line 1"),
    ] {
        let line = refused(&sandbox, &example(), &architecture);
        assert!(
            line.contains("net.toml: ") && line.contains(part),
            "{part}\n{line}"
        );
    }
}

#[test]
fn a_changed_bit_beside_its_digests_is_noticed() {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    let mut bytes = exported(&sandbox, &checkpoint);
    let at = bytes.len() - 1000;
    bytes[at] ^= 4;
    fs::write(sandbox.path("pretrained-exported/model.safetensors"), bytes).unwrap();
    let arguments = [
        "import",
        "--from",
        "pretrained-exported/model.safetensors",
        "--architecture",
        "pretrained-exported/config.json",
        "--to",
        "imported",
    ];
    let line = sandbox.fail("digits", &arguments);
    assert!(line.contains("model.safetensors: its SHA-256"), "{line}");
    assert!(!sandbox.path("imported").exists());
}

#[test]
fn a_hub_folder_has_a_card_the_weights_and_the_checkpoint() {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    let arguments = [
        "export",
        &checkpoint,
        "--to",
        "ten-digits",
        "--format",
        "hub",
        "--license",
        "mit",
    ];
    sandbox.succeed("digits", &arguments);
    let card = String::from_utf8(sandbox.bytes("ten-digits/README.md")).unwrap();
    for part in [
        "---\nlicense: \"mit\"\nlibrary_name: burn\n",
        "\ndatasets:\n- \"ylecun/mnist\"\n",
        "- name: \"ten-digits\"\n",
        "value: 0.9958\n",
        "certified on 10000 held-out images",
        "## Limits",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
    for file in [
        "config.json",
        "model.safetensors",
        "network.py",
        "model.onnx",
    ] {
        assert!(!sandbox.bytes(&format!("ten-digits/{file}")).is_empty());
    }
    sandbox.succeed("digits", &["verify", "ten-digits/checkpoint"]);
    let line = sandbox.fail("digits", &arguments);
    assert!(line.contains("--force"), "{line}");
    sandbox.succeed("digits", &[&arguments[..], &["--force"]].concat());
    let sums = String::from_utf8(sandbox.bytes("ten-digits/SHA256SUMS")).unwrap();
    assert!(sums.contains("  checkpoint/model.bpk\n"), "{sums}");
}
