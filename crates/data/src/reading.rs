/// How a folder is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// Whether IDX files hold rows and columns exchanged; by default as their names tell.
    pub transpose: Option<bool>,
    /// Height and width that pictures are brought to; 32×32 by default.
    pub size: Option<[usize; 2]>,
    /// Channels that pictures are brought to; by default 1 if all of them are grey, else 3.
    pub channels: Option<usize>,
    /// Draws the pictures that are held out for testing where there is no folder of them.
    pub seed: u64,
}

/// Is told what happens while images are read. `()` listens to nothing.
pub trait Observer: Sync {
    /// So many of so many pictures are read.
    fn progress(&self, done: usize, total: usize) {
        let _ = (done, total);
    }
    /// What someone should know of what is read, in a sentence.
    fn note(&self, sentence: String) {
        let _ = sentence;
    }
}

impl Observer for () {}
