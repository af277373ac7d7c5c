//! The text between the parentheses of `#[cached(…)]`, read into options. Spans are kept; nothing is looked up here.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::{
    Expr, Ident, Lit, LitBool, LitInt, LitStr, Path, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::{advice, error::Mistakes, setting::Setting, template::Template};

/// The options as they were written.
pub(crate) struct Args {
    pub(crate) cache: Option<Name>,
    pub(crate) associated: bool,
    pub(crate) batch: Option<Span>,
    pub(crate) stack: Option<Expr>,
    pub(crate) settings: Vec<Setting>,
    pub(crate) key: Option<Given<Expr>>,
    pub(crate) condition: Option<Condition>,
    pub(crate) cache_none: bool,
    pub(crate) cache_err: Option<CacheErr>,
    pub(crate) cache_if: Option<Expr>,
    pub(crate) default_on_error: Option<Given<Expr>>,
    pub(crate) to_the_end: Option<Span>,
    pub(crate) validated: Option<Span>,
    pub(crate) skip: Option<Given<Vec<Ident>>>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) version: Option<u32>,
    pub(crate) policy: Option<LitStr>,
    pub(crate) krate: Option<Path>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            cache: None,
            associated: false,
            batch: None,
            stack: None,
            settings: Vec::new(),
            key: None,
            condition: None,
            cache_none: true,
            cache_err: None,
            cache_if: None,
            default_on_error: None,
            to_the_end: None,
            validated: None,
            skip: None,
            tags: Vec::new(),
            version: None,
            policy: None,
            krate: None,
        }
    }
}

/// What a cache is called.
pub(crate) enum Name {
    Text(String),
    /// Evaluated once for each instance of a generic function.
    Expr(Expr),
}

/// When calls go past the cache.
pub(crate) enum Condition {
    /// `when = …`: if not.
    When(Expr),
    /// `unless = …`: if so.
    Unless(Expr),
}

impl Condition {
    pub(crate) fn expr(&self) -> &Expr {
        let (Self::When(expr) | Self::Unless(expr)) = self;
        expr
    }
}

/// Which errors are cached.
pub(crate) enum CacheErr {
    /// `cache_err`
    All,
    /// `cache_err = …`: those that it says yes to.
    If(Expr),
}

impl CacheErr {
    pub(crate) fn judge(&self) -> Option<&Expr> {
        match self {
            Self::All => None,
            Self::If(judge) => Some(judge),
        }
    }
}

/// A value together with the place of its option's name.
pub(crate) struct Given<T> {
    pub(crate) name: Span,
    pub(crate) value: T,
}

/// One item of `tags = […]`.
pub(crate) enum Tag {
    /// `"org:{org}"`
    Template(Template),
    /// `tag_of(&user)`
    Expr(Expr),
    /// `|user| format!("team:{}", user.team)`: of what was loaded.
    OfValue(Expr),
}

impl Args {
    /// Reads every option it can; those it can't read become mistakes.
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        let parsed = (|input: ParseStream| {
            let mut seen = Vec::new();
            while !input.is_empty() {
                let read = args.read_option(input, &mut seen).and_then(|()| end_of_option(input));
                mistakes.keep(read);
                skip_past_comma(input)?;
            }
            Ok(())
        })
        .parse2(tokens);
        mistakes.keep(parsed);
        args
    }

    fn read_option(&mut self, input: ParseStream, seen: &mut Vec<Ident>) -> Result<()> {
        let name = input.call(Ident::parse_any)?;
        if seen.contains(&name) {
            return Err(syn::Error::new(name.span(), format!("`{name}` is given twice")));
        }
        match name.to_string().as_str() {
            "cache" => self.cache = Some(value(input, &name, cache_name)?),
            "batch" => self.batch = flag(input, &name)?.then(|| name.span()),
            "associated" => self.associated = flag(input, &name)?,
            "stack" => self.stack = Some(value(input, &name, expr)?),
            "key" => self.key = Some(Given { name: name.span(), value: value(input, &name, expr)? }),
            "when" => self.set_condition(&name, Condition::When(value(input, &name, expr)?))?,
            "unless" => self.set_condition(&name, Condition::Unless(value(input, &name, expr)?))?,
            "cache_none" => self.cache_none = value(input, &name, |input| input.parse::<LitBool>())?.value,
            "cache_err" => self.cache_err = Some(cache_err(input, &name)?),
            "cache_if" => self.cache_if = Some(value(input, &name, expr)?),
            "default_on_error" => {
                self.default_on_error = Some(Given { name: name.span(), value: value(input, &name, expr)? });
            }
            "to_the_end" => self.to_the_end = flag(input, &name)?.then(|| name.span()),
            "validated" => self.validated = flag(input, &name)?.then(|| name.span()),
            "skip" => self.skip = Some(Given { name: name.span(), value: skipped(input, &name)? }),
            "tags" => self.tags = value(input, &name, tags)?,
            "version" => self.version = Some(value(input, &name, version)?),
            "policy" => self.policy = Some(value(input, &name, named)?),
            "crate" => self.krate = Some(value(input, &name, |input| input.parse())?),
            _ if Setting::is(&name) => {
                self.settings.push(value(input, &name, |input| Setting::parse(&name, input))?);
            }
            unknown => return Err(syn::Error::new(name.span(), advice::on_unknown(unknown))),
        }
        seen.push(name);
        Ok(())
    }

    fn set_condition(&mut self, name: &Ident, condition: Condition) -> Result<()> {
        if self.condition.is_some() {
            let message = "`when` and `unless` are two forms of one condition; write it as one";
            return Err(syn::Error::new(name.span(), message));
        }
        self.condition = Some(condition);
        Ok(())
    }
}

pub(crate) fn value<T>(input: ParseStream, name: &Ident, parse: impl FnOnce(ParseStream) -> Result<T>) -> Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(name.span(), format!("`{name}` needs a value: `{name} = …`")));
    }
    input.parse::<Token![=]>()?;
    parse(input)
}

pub(crate) fn flag(input: ParseStream, name: &Ident) -> Result<bool> {
    if input.peek(Token![=]) {
        return Err(syn::Error::new(name.span(), format!("`{name}` takes no value; leave it out to be without")));
    }
    Ok(true)
}

fn expr(input: ParseStream) -> Result<Expr> {
    input.parse()
}

fn cache_err(input: ParseStream, name: &Ident) -> Result<CacheErr> {
    if !input.peek(Token![=]) {
        return Ok(CacheErr::All);
    }
    match bare(value(input, name, expr)?) {
        Expr::Lit(_) => {
            let message = "`cache_err` alone caches every `Err`; `cache_err = |error| …` those that it says yes to; without it there are none";
            Err(syn::Error::new(name.span(), message))
        }
        judge => Ok(CacheErr::If(judge)),
    }
}

fn cache_name(input: ParseStream) -> Result<Name> {
    match bare(input.fork().parse()?) {
        Expr::Lit(_) => named(input).map(|name| Name::Text(name.value())),
        _ => expr(input).map(Name::Expr),
    }
}

/// A name for people: the text of a cache's or a policy's name.
fn named(input: ParseStream) -> Result<LitStr> {
    let name: LitStr = input.parse()?;
    match name.value().len() {
        0 => Err(syn::Error::new(name.span(), "the name is empty")),
        1..=100 => Ok(name),
        long => Err(syn::Error::new(name.span(), format!("a name has at most 100 bytes, this one has {long}"))),
    }
}

fn version(input: ParseStream) -> Result<u32> {
    input.parse::<LitInt>()?.base10_parse()
}

fn skipped(input: ParseStream, name: &Ident) -> Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(name.span(), "`skip` names arguments: `skip(db, trace)`"));
    }
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with;
    let names = (|input: ParseStream| names(input, Ident::parse_any)).parse2(input.parse::<Group>()?.stream())?;
    if names.is_empty() {
        return Err(syn::Error::new(name.span(), "`skip` names no argument"));
    }
    Ok(names.into_iter().collect())
}

pub(crate) fn tags(input: ParseStream) -> Result<Vec<Tag>> {
    if !input.peek(syn::token::Bracket) {
        return Err(input.error("`tags` is a list: `tags = [\"org:{org}\", tag_of(user)]`"));
    }
    let tags: Punctuated<Expr, Token![,]> = items(input)?;
    let mut mistakes = Mistakes::default();
    let tags = tags.into_iter().filter_map(|item| mistakes.keep(tag(item))).collect();
    mistakes.into_result().map(|()| tags)
}

/// What a group holds. It is parsed apart, so that one mistake in it is reported once.
pub(crate) fn items<T: Parse>(input: ParseStream) -> Result<Punctuated<T, Token![,]>> {
    Punctuated::parse_terminated.parse2(input.parse::<Group>()?.stream())
}

fn tag(item: Expr) -> Result<Tag> {
    match bare(item) {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Template::parse(text).map(Tag::Template),
        item @ Expr::Closure(_) => Ok(Tag::OfValue(item)),
        item => Ok(Tag::Expr(item)),
    }
}

/// The expression itself, out of the invisible group that a `macro_rules!` variable puts it in.
pub(crate) fn bare(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => bare(*group.expr),
        expr => expr,
    }
}

pub(crate) fn end_of_option(input: ParseStream) -> Result<()> {
    if input.is_empty() || input.peek(Token![,]) { Ok(()) } else { Err(input.error("expected `,`")) }
}

/// After a mistake the rest of its option means nothing; what follows the next comma does.
pub(crate) fn skip_past_comma(input: ParseStream) -> Result<()> {
    while !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
