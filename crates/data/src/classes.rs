use std::sync::Arc;

use crate::DataError;

/// The classes of a data set: a name for each, and the label that its files have for it.
///
/// A class is known by its index, from 0, everywhere but in files. A clone shares the names.
///
/// ```
/// use data::Classes;
///
/// # fn main() -> Result<(), data::DataError> {
/// // As in EMNIST's letters, whose labels begin at 1.
/// let letters = Classes::new(vec!["a".into(), "b".into(), "c".into()], vec![1, 2, 3])?;
/// assert_eq!((letters.len(), letters.name(1), letters.index_of(2)), (3, "b", Some(1)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    names: Arc<[String]>,
    labels: Arc<[u16]>,
}

impl Classes {
    /// Most classes of a data set.
    pub const MAX: usize = 1000;
    /// Most characters of a name.
    pub const MAX_NAME: usize = 100;

    /// Names and labels, class by class; labels ascend.
    ///
    /// # Errors
    ///
    /// [`DataError::Classes`] unless there are 2 to [`MAX`](Self::MAX) of them, as many names as
    /// labels, in ascending order; [`DataError::ClassName`] for a name that is empty, there twice,
    /// longer than [`MAX_NAME`](Self::MAX_NAME) characters or with control characters in it.
    pub fn new(names: Vec<String>, labels: Vec<u16>) -> Result<Self, DataError> {
        let wrong = |problem: String| Err(DataError::Classes { problem });
        if !(2..=Self::MAX).contains(&names.len()) {
            return wrong(format!(
                "{} classes, of 2 to {} that there may be",
                names.len(),
                Self::MAX
            ));
        }
        if names.len() != labels.len() {
            return wrong(format!(
                "{} class names for {} labels",
                names.len(),
                labels.len()
            ));
        }
        if !labels.is_sorted_by(|a, b| a < b) {
            return wrong("labels of the classes that don't ascend".into());
        }
        let mut seen = std::collections::HashSet::new();
        for name in &names {
            let problem = if name.trim().is_empty() {
                "it is empty"
            } else if name.chars().count() > Self::MAX_NAME {
                "it is longer than 100 characters"
            } else if name.chars().any(char::is_control) {
                "it has control characters in it"
            } else if !seen.insert(name) {
                "there are two classes of this name"
            } else {
                continue;
            };
            return Err(DataError::ClassName {
                name: name.chars().take(Self::MAX_NAME).collect(),
                problem,
            });
        }
        Ok(Self {
            names: names.into(),
            labels: labels.into(),
        })
    }

    /// Classes with labels from 0 on.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn named(names: Vec<String>) -> Result<Self, DataError> {
        let labels = (0..names.len().min(1 << 16)).map(|label| label as u16);
        let labels = labels.collect();
        Self::new(names, labels)
    }

    /// Classes that are called by their labels.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn numbered(labels: Vec<u16>) -> Result<Self, DataError> {
        Self::new(labels.iter().map(u16::to_string).collect(), labels)
    }

    /// How many there are, at least 2.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// All names, in the order of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of a class.
    ///
    /// # Panics
    ///
    /// If `class` is not below [`len`](Self::len), like a slice.
    pub fn name(&self, class: usize) -> &str {
        &self.names[class]
    }

    /// What files call the classes, ascending.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The class that files call `label`.
    pub fn index_of(&self, label: u16) -> Option<u16> {
        let index = self.labels.binary_search(&label).ok()?;
        Some(index as u16)
    }

    /// The class of that name.
    pub fn named_so(&self, name: &str) -> Option<u16> {
        let index = self.names.iter().position(|known| known == name)?;
        Some(index as u16)
    }

    /// Whether they are the ten digits, in their order.
    pub fn are_digits(&self) -> bool {
        let named = |(digit, name): (usize, &String)| *name == digit.to_string();
        self.len() == 10 && self.names.iter().enumerate().all(named)
    }

    /// Whether labels are indices: 0, 1, 2, …
    pub fn are_indices(&self) -> bool {
        (0..)
            .zip(self.labels.iter())
            .all(|(index, &label)| index == label)
    }
}
