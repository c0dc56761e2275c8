use data::{Classes, DataError, ImageShape, LabelledImages};

use crate::{COLOUR, GREY, digits};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_shape_is_grey_or_colour_with_sides_of_1_to_256() {
    for [channels, height, width] in [[1, 1, 1], [3, 256, 256], [1, 28, 28], [3, 1, 256]] {
        let shape = ImageShape::new(channels, height, width).unwrap();
        assert_eq!(shape.len(), channels * height * width);
        assert_eq!(shape.plane(), height * width);
    }
    for [channels, height, width] in [
        [0, 28, 28],
        [2, 28, 28],
        [4, 28, 28],
        [1, 0, 28],
        [1, 28, 0],
        [1, 257, 28],
        [3, 28, 257],
        [usize::MAX, usize::MAX, usize::MAX],
    ] {
        let error = ImageShape::new(channels, height, width).unwrap_err();
        assert!(matches!(error, DataError::Shape { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains("1 to 256") && message.contains("1 or 3"),
            "{message}"
        );
    }
    assert_eq!(
        (GREY.to_string(), COLOUR.to_string()),
        ("28×28 grey".into(), "5×7 colour".into())
    );
}

#[test]
fn a_shape_in_a_file_is_checked() {
    let json = serde_json::to_string(&COLOUR).unwrap();
    assert_eq!(serde_json::from_str::<ImageShape>(&json).unwrap(), COLOUR);
    for bad in [
        r#"{"channels":2,"height":5,"width":7}"#,
        r#"{"channels":3,"height":0,"width":7}"#,
        r#"{"channels":3,"height":5,"width":257}"#,
        r#"{"channels":3,"height":5}"#,
        r#"{"channels":3,"height":5,"width":7,"depth":1}"#,
        r#"{"channels":3,"height":-5,"width":7}"#,
    ] {
        assert!(serde_json::from_str::<ImageShape>(bad).is_err(), "{bad}");
    }
}

#[test]
fn classes_are_known_by_index_label_and_name() {
    let classes = Classes::new(names(&["a", "b", "é"]), vec![1, 5, 60_000]).unwrap();
    assert_eq!((classes.len(), classes.name(2)), (3, "é"));
    assert_eq!(
        [1, 5, 60_000, 0, 2].map(|label| classes.index_of(label)),
        [Some(0), Some(1), Some(2), None, None]
    );
    assert_eq!(
        (classes.named_so("b"), classes.named_so("B")),
        (Some(1), None)
    );
    assert!(!classes.are_indices() && digits().are_indices());
    let named = Classes::named(names(&["x", "y"])).unwrap();
    assert!(named.are_indices() && named.labels() == [0, 1]);
    assert_eq!(Classes::numbered(vec![3, 8]).unwrap().names(), ["3", "8"]);
}

#[test]
fn there_are_2_to_1000_classes_with_ascending_labels() {
    let numbered = |count: u16| Classes::numbered((0..count).collect());
    assert_eq!(numbered(2).unwrap().len(), 2);
    assert_eq!(numbered(1000).unwrap().len(), 1000);
    let many = vec![String::from("a"); 1 << 17];
    for error in [
        numbered(0).unwrap_err(),
        numbered(1).unwrap_err(),
        numbered(1001).unwrap_err(),
        Classes::named(many).unwrap_err(),
        Classes::new(names(&["a", "b"]), vec![0]).unwrap_err(),
        Classes::new(names(&["a", "b"]), vec![0, 1, 2]).unwrap_err(),
        Classes::new(names(&["a", "b"]), vec![1, 0]).unwrap_err(),
        Classes::new(names(&["a", "b"]), vec![1, 1]).unwrap_err(),
    ] {
        assert!(matches!(error, DataError::Classes { .. }), "{error:?}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn a_name_that_a_class_cannot_have_is_refused_with_the_reason() {
    for (name, part) in [
        ("", "empty"),
        ("  ", "empty"),
        ("a", "two classes"),
        ("tab\there", "control"),
        ("line\nbreak", "control"),
        ("\u{85}", "empty"),
        ("bell\u{7}", "control"),
        (&"x".repeat(101), "longer"),
        (&"猫".repeat(101), "longer"),
    ] {
        let error = Classes::named(names(&["a", name])).unwrap_err();
        assert!(matches!(error, DataError::ClassName { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains(part) && !message.contains(['\n', '\u{7}']),
            "{message}"
        );
    }
    for name in ["x".repeat(100), "猫".repeat(100), "a cat, or two".into()] {
        assert!(Classes::named(vec!["a".into(), name]).is_ok());
    }
}

#[test]
fn a_set_made_in_memory_is_checked_too() {
    for shape in [GREY, COLOUR] {
        let new = |pixels, labels| {
            LabelledImages::new(shape, digits(), vec![0; pixels], labels).unwrap_err()
        };
        let length = shape.len();
        assert!(matches!(new(0, vec![]), DataError::Empty { .. }));
        assert!(matches!(
            new(length - 1, vec![0]),
            DataError::PixelCount { .. }
        ));
        assert!(matches!(
            new(length, vec![0, 1]),
            DataError::CountMismatch { .. }
        ));
        assert!(matches!(
            new(2 * length, vec![0, 10]),
            DataError::Label {
                index: 1,
                label: 10,
                ..
            }
        ));
    }
}
