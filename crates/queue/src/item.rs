use crate::{Answer, Error};

/// A picture that the network left to people, as it is put into the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Deferred {
    /// The model that was asked.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The picture as it came, if it is to be kept.
    pub picture: Option<Vec<u8>>,
    /// What kind of file the picture is, such as `image/png`.
    pub media_type: Option<String>,
    /// The network's input, `[channels, height, width]`; none where nothing was found in the picture.
    pub input: Option<Vec<u8>>,
    /// The shape of an input, `[channels, height, width]`.
    pub shape: [u32; 3],
    /// The names of the classes: all different, and neither `none` nor `unsure`.
    pub classes: Vec<String>,
    /// What the network gave each class; empty where it was not asked.
    pub probabilities: Vec<f64>,
    /// Why the network left it to people, such as `low_confidence`.
    pub reason: String,
    /// Whom to tell what people said: an address that the caller has checked.
    pub callback: Option<String>,
    /// The id of the first picture of the same thing, where this was taken again.
    pub first: Option<String>,
}

/// A picture in the hands of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The item.
    pub id: String,
    /// What shows that this person has it: an answer has to come with it.
    pub lease: String,
    /// Until when, in milliseconds since 1970.
    pub expires: i64,
    /// The picture as it came, if it was kept.
    pub picture: Option<Vec<u8>>,
    /// What kind of file the picture is.
    pub media_type: Option<String>,
    /// The network's input, `[channels, height, width]`.
    pub input: Option<Vec<u8>>,
    /// The shape of an input.
    pub shape: [u32; 3],
    /// The names of the classes.
    pub classes: Vec<String>,
    /// What the network gave each class.
    pub probabilities: Vec<f64>,
    /// Why the network left it to people.
    pub reason: String,
    /// The model that was asked.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The id of the first picture of the same thing.
    pub first: Option<String>,
    /// When it was deferred, in milliseconds since 1970.
    pub created: i64,
    /// Whether another person has answered, which is hidden.
    pub second: bool,
    /// What two people said who disagree, for the third to see.
    pub disputed: Option<Vec<Opinion>>,
}

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Who.
    pub reviewer: String,
    /// What.
    pub answer: Answer,
}

/// The longest that a name of a person, a key or another short text may be, in bytes.
const SHORT: usize = 200;
/// The longest that an address may be, in bytes.
const ADDRESS: usize = 2000;

impl Deferred {
    /// Says what can't be stored, or could not be answered.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::Invalid(problem));
        short("model", &self.model, SHORT)?;
        short("version", &self.version, SHORT)?;
        short("reason", &self.reason, SHORT)?;
        let optional = [
            ("media_type", &self.media_type, SHORT),
            ("callback", &self.callback, ADDRESS),
            ("first", &self.first, SHORT),
        ];
        for (name, text, longest) in optional {
            text.as_deref()
                .map_or(Ok(()), |text| short(name, text, longest))?;
        }
        for (index, class) in self.classes.iter().enumerate() {
            short("classes", class, SHORT)?;
            if Answer::RESERVED.contains(&class.as_str()) {
                return wrong(format!(
                    "no class may be called {class}: that is an answer of its own"
                ));
            }
            if self.classes[..index].contains(class) {
                return wrong(format!("two classes are called {class}"));
            }
        }
        if self.classes.is_empty() {
            return wrong("classes is empty".to_owned());
        }
        let given = self.probabilities.len();
        if given != 0 && given != self.classes.len() {
            return wrong(format!(
                "{given} probabilities for {} classes",
                self.classes.len()
            ));
        }
        if !self.probabilities.iter().all(|p| p.is_finite()) {
            return wrong("probabilities has one that is not finite".to_owned());
        }
        let pixels = self.shape.iter().try_fold(1_usize, |product, &side| {
            product.checked_mul(usize::try_from(side).ok()?)
        });
        match &self.input {
            Some(input) if Some(input.len()) != pixels => wrong(format!(
                "input has {} bytes, its shape is {:?}",
                input.len(),
                self.shape
            )),
            _ => Ok(()),
        }
    }
}

/// Says what is wrong with the name of a person.
pub(crate) fn check_reviewer(name: &str) -> Result<(), Error> {
    short("reviewer", name, SHORT)
}

/// Whether a text may be an id or a lease: what isn't is in no database, and one may not even be asked for it.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Says what is wrong with what a person says of an item that they hold, before a database is asked.
pub(crate) fn check_hold(id: &str, reviewer: &str, lease: &str) -> Result<(), Error> {
    check_reviewer(reviewer)?;
    match (is_token(id), is_token(lease)) {
        (false, _) => Err(Error::Unknown(id.escape_debug().to_string())),
        (_, false) => Err(Error::NotLeased(id.to_owned())),
        _ => Ok(()),
    }
}

/// Says what is wrong with the key of an answer.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    short("key", key, SHORT)
}

fn short(name: &str, text: &str, longest: usize) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::Invalid(format!("{name} is empty")));
    }
    if text.len() > longest {
        return Err(Error::Invalid(format!(
            "{name} is longer than {longest} bytes"
        )));
    }
    // PostgreSQL stores no NUL, and others break the line of a log.
    if text.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("{name} has a control character")));
    }
    Ok(())
}
