//! What the columns of a review table are called, and how classes stand in them.

/// The table's name.
pub const TABLE: &str = "review.csv";
/// Where a picture came from: its path as given.
pub const SOURCE: &str = "source";
/// Which image of the test set it is, from 0. A table has this column or [`SOURCE`].
pub const INDEX: &str = "index";

/// What the column of classes is called.
#[derive(Clone, Copy)]
pub struct Names(&'static str);

impl Names {
    /// `digit` where the classes are the ten digits, else `class`.
    pub fn of(classes: &[String]) -> Self {
        let digits = classes.len() == 10 && classes.iter().all(|name| is_digit(name));
        Names::digits_if(digits)
    }

    pub fn digits_if(digits: bool) -> Self {
        Names(if digits { "digit" } else { "class" })
    }

    pub fn are_digits(self) -> bool {
        self.0 == "digit"
    }

    pub fn column(self) -> &'static str {
        self.0
    }
}

pub fn is_digit(name: &str) -> bool {
    name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of the file of a test image.
pub fn test_name(index: usize) -> String {
    format!("test-{index:05}.png")
}

/// The index in the name of a test image.
pub fn test_index(file: &str) -> Option<usize> {
    let index = file
        .strip_prefix("test-")?
        .strip_suffix(".png")?
        .parse()
        .ok()?;
    (test_name(index) == file).then_some(index)
}

/// The class that is meant, by its index: its name, the same in other case if only one is so, or where
/// names are numbers a number as spreadsheets and data frames write it, `8`, `8.0` or `8,0`.
pub fn meant(text: &str, names: &[String]) -> Option<u16> {
    let named = |name: &str| names.iter().position(|known| known == name);
    let like = || {
        let lower = text.to_lowercase();
        let mut alike = (0..names.len()).filter(|&class| names[class].to_lowercase() == lower);
        alike.next().filter(|_| alike.next().is_none())
    };
    let number = || whole(text).and_then(|number| named(&number.to_string()));
    let class = named(text).or_else(number).or_else(like)?;
    u16::try_from(class).ok()
}

/// A whole number, be it written with decimals.
pub fn whole(text: &str) -> Option<usize> {
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(whole) && decimals.bytes().all(|byte| byte == b'0'))
        .then(|| whole.parse().ok())
        .flatten()
}
