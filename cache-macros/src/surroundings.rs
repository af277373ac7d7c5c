//! What a function stands in, which its attribute is not told: read off the source file, for advice alone. Where that is not to be
//! had, as in an editor, nothing is said, and the compiler has the word.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::SystemTime,
};

use proc_macro2::Span;
use syn::{Signature, Visibility};

use crate::error::Mistakes;

/// What braces are round, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Surroundings {
    /// `impl Users {`
    OfType,
    /// `impl Repository for Users {`
    OfTrait,
    /// `mod users {`, or the file.
    Module,
    Other,
}

const OF_A_TRAIT: &str = "this stands in the implementation of a trait, where what goes with it has no place; put a `#[cached]` on the \
                          `impl` too, above `#[async_trait]` if there is one";

const OF_A_TYPE: &str = "this stands in an `impl`, and without `self` or `Self` it looks like a free function; say so: \
                         `#[cached(associated)]`";

const FREE: &str = "`associated` says that this stands in an `impl`, and it does not; leave it out";

/// Says what the function's place asks for.
pub(crate) fn check(
    signature: &Signature,
    visibility: &Visibility,
    says_associated: bool,
    looks_associated: bool,
    mistakes: &mut Mistakes,
) {
    // What was moved out of the implementation of a trait is `pub`, and nothing in there is.
    let may_be_of_trait = matches!(visibility, Visibility::Inherited);
    let name = signature.ident.span();
    match of(signature.fn_token.span) {
        Some(Surroundings::OfTrait) if may_be_of_trait => mistakes.at(name, OF_A_TRAIT),
        Some(Surroundings::OfType) if !looks_associated => mistakes.at(name, OF_A_TYPE),
        Some(Surroundings::Module) if says_associated => mistakes.at(name, FREE),
        _ => {}
    }
}

fn of(place: Span) -> Option<Surroundings> {
    if !proc_macro::is_available() {
        return None;
    }
    let place = place.unwrap();
    let functions = functions_of(&place.local_file()?)?;
    functions.get(&Position { line: place.line(), column: place.column() }).copied()
}

/// Where a character is, both counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Position {
    line: usize,
    column: usize,
}

/// What each function stands in, by the place of its `fn`. A place that is not in here is not what it seems: that of an example in
/// a comment, for instance.
type Functions = HashMap<Position, Surroundings>;

/// Each file is read once, for all functions in it.
fn functions_of(file: &Path) -> Option<Arc<Functions>> {
    type Known = HashMap<PathBuf, (SystemTime, Arc<Functions>)>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let changed = fs::metadata(file).ok()?.modified().ok()?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((as_of, functions)) = known.get(file)
        && *as_of == changed
    {
        return Some(Arc::clone(functions));
    }
    let functions = Arc::new(Reader::new(&fs::read_to_string(file).ok()?).read());
    known.insert(file.to_owned(), (changed, Arc::clone(&functions)));
    Some(functions)
}

/// Goes through a source text, with an eye for braces and what is written before them.
struct Reader<'t> {
    rest: &'t str,
    at: Position,
    found: Functions,
    /// The braces that are open, outermost first.
    open: Vec<Surroundings>,
    /// What was written since the last item or statement began, without comments and literals.
    head: String,
    /// How many parentheses and brackets are open in it.
    depth: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let at = Position { line: 1, column: 1 };
        Self { rest: text, at, found: Functions::new(), open: Vec::new(), head: String::new(), depth: 0 }
    }

    fn read(mut self) -> Functions {
        while let Some(next) = self.rest.chars().next() {
            match next {
                _ if self.rest.starts_with("//") => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
                _ if self.rest.starts_with("/*") => self.skip(comment(self.rest)),
                '"' => self.skip(1 + text(&self.rest[1..])),
                '\'' => self.skip(character(self.rest)),
                _ if is_of_a_name(next) => self.word(),
                '{' => {
                    self.open.push(round(&self.head));
                    self.begin();
                }
                '}' => {
                    self.open.pop();
                    self.begin();
                }
                ';' if self.depth == 0 => self.begin(),
                _ => self.mark(next),
            }
        }
        self.found
    }

    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at(bytes);
        for c in skipped.chars() {
            match c {
                '\n' => self.at = Position { line: self.at.line + 1, column: 1 },
                _ => self.at.column += 1,
            }
        }
        self.rest = rest;
    }

    fn begin(&mut self) {
        self.head.clear();
        self.depth = 0;
        self.skip(1);
    }

    fn mark(&mut self, mark: char) {
        match mark {
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.head.push(mark);
        self.skip(mark.len_utf8());
        // An attribute is no part of what it stands on.
        if mark == ']' && self.depth == 0 && self.head.trim_start().starts_with('#') {
            self.head.clear();
        }
    }

    /// A name, a number or a keyword; or what looks like one, and is the prefix of a text.
    fn word(&mut self) {
        let length = self.rest.find(|c| !is_of_a_name(c)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(length);
        let hashes = after.len() - after.trim_start_matches('#').len();
        if matches!(word, "r" | "br" | "cr") && after[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &after[hashes + 1..];
            let closed = inside.find(&end).map_or(inside.len(), |at| at + end.len());
            return self.skip(length + hashes + 1 + closed);
        }
        if word == "fn" {
            self.found.insert(self.at, self.open.last().copied().unwrap_or(Surroundings::Module));
        }
        self.head.push_str(word);
        self.skip(length);
    }
}

fn is_of_a_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of a comment, with those inside of it.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of a text after its first quote.
fn text(inside: &str) -> usize {
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(inside.len(), |end| end + 1)
}

/// The length of a character with its quotes; or of the quote alone, which is then that of a lifetime.
fn character(text: &str) -> usize {
    let inside = &text[1..];
    if let Some(escaped) = inside.strip_prefix('\\') {
        let first = escaped.chars().next().map_or(0, char::len_utf8);
        return escaped[first..].find('\'').map_or(text.len(), |end| 2 + first + end + 1);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if inside[first..].starts_with('\'') { 1 + first + 1 } else { 1 }
}

fn round(head: &str) -> Surroundings {
    let mut words = head.split(|c| !is_of_a_name(c)).filter(|word| !word.is_empty());
    let first = words.find(|word| !matches!(*word, "unsafe" | "default" | "const" | "pub" | "crate" | "super" | "in"));
    match first {
        Some("impl") if has_for(head) => Surroundings::OfTrait,
        Some("impl") => Surroundings::OfType,
        Some("mod") => Surroundings::Module,
        _ => Surroundings::Other,
    }
}

/// `impl Trait for Type`, which is not the `for` of `for<'a>`.
fn has_for(head: &str) -> bool {
    head.match_indices("for").any(|(at, word)| {
        let (before, after) = (&head[..at], &head[at + word.len()..]);
        !before.ends_with(is_of_a_name) && !after.starts_with(is_of_a_name) && !after.trim_start().starts_with('<')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the function stands in whose `fn` is the first after an `@`.
    fn at(text: &str) -> Option<Surroundings> {
        let at = text.find('@').expect("it is marked");
        let at = at + text[at..].find("fn").expect("so it is");
        let (line, column) =
            (text[..at].matches('\n').count() + 1, text[..at].chars().rev().take_while(|c| *c != '\n').count() + 1);
        Reader::new(text).read().get(&Position { line, column }).copied()
    }

    #[test]
    fn the_innermost_braces_count() {
        assert_eq!(at("mod a { fn b() {} @ fn x() {} }"), Some(Surroundings::Module));
        assert_eq!(at("impl A { fn b() {} } @ fn x() {}"), Some(Surroundings::Module));
        assert_eq!(at("impl A {\n    fn b() {}\n    @ fn x() {}\n}"), Some(Surroundings::OfType));
        assert_eq!(at("impl A for B { fn b() { @ fn x() {} } }"), Some(Surroundings::Other));
        assert_eq!(at("unsafe impl<T: for<'a> Fn(&'a T)> A<T> for B { @ fn x() {} }"), Some(Surroundings::OfTrait));
        assert_eq!(
            at("impl<F> A<F> where F: for<'a> Fn(&'a u8) -> [u8; 3] { @ fn x() {} }"),
            Some(Surroundings::OfType)
        );
        assert_eq!(at("fn a() -> impl Fn() { @ fn x() {} }"), Some(Surroundings::Other));
        assert_eq!(at("make! { @ fn x() {} }"), Some(Surroundings::Other));
        assert_eq!(at("pub(crate) mod a { @ fn x() {} }"), Some(Surroundings::Module));
    }

    #[test]
    fn attributes_do_not() {
        assert_eq!(
            at("use a;\n#[cfg(any())]\n#[doc = \"impl A for B\"]\nimpl B { @ fn x() {} }"),
            Some(Surroundings::OfType)
        );
        assert_eq!(
            at("#![allow(unused)]\nimpl A for B { #[cached(key = [1, 2])] @ fn x() {} }"),
            Some(Surroundings::OfTrait)
        );
    }

    #[test]
    fn what_is_no_code_does_not() {
        assert_eq!(at("/* impl A for B { /* { */ */ impl B { // }\n @ fn x() {} }"), Some(Surroundings::OfType));
        assert_eq!(at("impl B { const A: &str = \"\\\"}\"; @ fn x() {} }"), Some(Surroundings::OfType));
        assert_eq!(at("impl B { const A: &str = r#\"\"}\"#; @ fn x() {} }"), Some(Surroundings::OfType));
        assert_eq!(
            at("impl<'a> B<'a> { const A: [char; 3] = ['}', '\\'', '\\u{7d}']; @ fn x() {} }"),
            Some(Surroundings::OfType)
        );
        assert_eq!(at("impl B { fn r#impl() {} @ fn x() {} }"), Some(Surroundings::OfType));
    }

    #[test]
    fn an_example_in_a_comment_is_unknown() {
        assert_eq!(at("/// impl A { @ fn x() {} }\nfn y() {}"), None);
        assert_eq!(at("const A: &str = \"impl A { @ fn x() {} }\";"), None);
    }

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(
            at("impl A for Žluť { /* ů */ } impl Žluť { const A: char = '🦀'; @ fn x() {} }"),
            Some(Surroundings::OfType)
        );
    }
}
