//! `"org:{org}"`: a tag with names of arguments in it.

use syn::{Error, Ident, LitStr};

/// A template whose braces are in order. Whether its names exist is for the model to say.
pub(crate) struct Template {
    pub(crate) text: LitStr,
    /// Each name once, in order of appearance.
    pub(crate) names: Vec<Ident>,
}

impl Template {
    pub(crate) fn parse(text: LitStr) -> syn::Result<Self> {
        match names(&text.value()) {
            Ok(names) => {
                let names = names.iter().map(|name| Ident::new(name, text.span())).collect();
                Ok(Self { text, names })
            }
            Err(message) => Err(Error::new(text.span(), message)),
        }
    }
}

fn names(template: &str) -> Result<Vec<String>, String> {
    if template.is_empty() {
        return Err("the tag is empty".into());
    }
    let mut names: Vec<String> = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            rest = after;
            continue;
        }
        let inside = after.split_once('}').filter(|_| brace == "{");
        let Some((inside, after)) = inside else {
            return Err(format!("the tag has a lone `{brace}`; write `{brace}{brace}` for the character itself"));
        };
        let name = argument(inside)?;
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        rest = after;
    }
    Ok(names)
}

fn argument(inside: &str) -> Result<&str, String> {
    let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
    if name.trim() != name || syn::parse_str::<Ident>(name).is_err() {
        return Err(format!(
            "`{{{inside}}}` is not the name of an argument; for anything more give an expression instead of a \
             template: `tags = [format!(…)]`"
        ));
    }
    if format.ends_with('?') {
        return Err(format!(
            "`{{{inside}}}` would make a tag of `Debug` output, which may hide or change what it shows"
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_once_each() {
        assert_eq!(names("org:{org}:{id:08}/{org}").unwrap(), ["org", "id"]);
        assert_eq!(names("{{plain}}").unwrap(), [""; 0]);
        assert_eq!(names("all").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for template in ["", "{}", "{0}", "{org.id}", "{org", "org}", "{user:?}", "{ org }", "{f(x)}"] {
            assert!(names(template).is_err(), "{template:?}");
        }
    }
}
