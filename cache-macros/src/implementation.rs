//! `#[cached]` on the implementation of a trait. What goes with a cached method has no place in there, so such a method moves,
//! with its attribute, to an `impl` of the type alone; what is left of it calls it there.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, FnArg, GenericParam, Generics, ImplItem, Meta, Path, Result, Signature, Token, Type,
    parse::{Parse, ParseStream, Parser},
};

use crate::{
    argument::plain_name,
    error::Mistakes,
    function::{Attributes, mentions},
    model::instance,
};

/// Whether the attribute stands on an `impl`.
pub(crate) fn is_one(item: &TokenStream) -> bool {
    let starts_so = |input: ParseStream| {
        input.call(Attribute::parse_outer)?;
        let starts_so = input.peek(Token![impl]) || (input.peek(Token![unsafe]) && input.peek2(Token![impl]));
        input.parse::<TokenStream>().map(|_| starts_so)
    };
    starts_so.parse2(item.clone()).unwrap_or_default()
}

/// The generated code; where there were mistakes, they and the implementation as it was.
pub(crate) fn expansion(options: &TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    if let Some(first) = options.clone().into_iter().next() {
        mistakes.at(
            first.span(),
            "options belong to the `#[cached]` of each method; this one says which `impl` they stand in",
        );
    }
    let implementation = mistakes.keep(syn::parse2::<Implementation>(item.clone()));
    if let Some(implementation) = &implementation {
        implementation.check(&mut mistakes);
    }
    match (mistakes.report(), implementation) {
        (None, Some(implementation)) => implementation.expand(),
        (report, _) => quote!(#item #report),
    }
}

struct Implementation {
    attributes: Vec<Attribute>,
    unsafety: Option<Token![unsafe]>,
    generics: Generics,
    of: Path,
    ty: Type,
    items: Vec<Item>,
}

enum Item {
    Cached(Box<Method>),
    Other(Box<ImplItem>),
}

/// A cached method, its body left as it is.
struct Method {
    attributes: Vec<Attribute>,
    signature: Signature,
    body: Group,
}

impl Parse for Implementation {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let unsafety = input.parse()?;
        let place = input.parse::<Token![impl]>()?.span;
        let mut generics: Generics = if input.peek(Token![<]) { input.parse()? } else { Generics::default() };
        let of: Result<Path> = input.fork().parse();
        let (Ok(of), true) = (of, is_of_trait(input)) else {
            let message = "`#[cached]` goes on the methods of an `impl`; on one itself only if it is that of a trait";
            return Err(syn::Error::new(place, message));
        };
        input.parse::<Path>()?;
        input.parse::<Token![for]>()?;
        let ty = input.parse()?;
        generics.where_clause = input.parse()?;
        let items = items.parse2(input.parse::<Group>()?.stream())?;
        Ok(Self { attributes, unsafety, generics, of, ty, items })
    }
}

fn is_of_trait(input: ParseStream) -> bool {
    let ahead = input.fork();
    ahead.parse::<Path>().is_ok() && ahead.peek(Token![for])
}

fn items(input: ParseStream) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    while !input.is_empty() {
        let attributes = input.fork().call(Attribute::parse_outer)?;
        items.push(match attributes.iter().any(is_cached) {
            true => Item::Cached(Box::new(input.parse()?)),
            false => Item::Other(input.parse()?),
        });
    }
    Ok(items)
}

impl Parse for Method {
    fn parse(input: ParseStream) -> Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            signature: input.parse().map_err(|_| input.error("`#[cached]` goes on a function"))?,
            body: input.parse()?,
        })
    }
}

fn is_cached(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "cached")
}

impl Implementation {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.cached().next().is_none() {
            let message = "no method in here is cached; put `#[cached(…)]` on those that are to be";
            mistakes.at(Span::call_site(), message);
        }
        for parameter in &self.generics.params {
            let name = match parameter {
                GenericParam::Lifetime(_) => continue,
                GenericParam::Type(parameter) => &parameter.ident,
                GenericParam::Const(parameter) => &parameter.ident,
            };
            if !mentions(&self.ty, name) {
                mistakes.at(
                    name.span(),
                    format!(
                        "`{name}` is a parameter of the trait and not of the type, which then has one cache for all of them; \
                         cache a function that is generic over `{name}`, and call it from here"
                    ),
                );
            }
        }
    }

    fn cached(&self) -> impl Iterator<Item = &Method> {
        self.items.iter().filter_map(|item| match item {
            Item::Cached(method) => Some(&**method),
            Item::Other(_) => None,
        })
    }

    fn expand(&self) -> TokenStream {
        let Self { attributes, unsafety, generics, of, ty, items } = self;
        let where_clause = &generics.where_clause;
        let items = items.iter().map(|item| match item {
            Item::Cached(method) => method.left(),
            Item::Other(item) => item.to_token_stream(),
        });
        let conditions = Attributes::sort(attributes.clone()).conditions;
        let moved = self.cached().map(|method| self.resolved(method.moved()));
        quote! {
            #(#attributes)*
            #unsafety impl #generics #of for #ty #where_clause {
                #(#items)*
            }

            #(#conditions)*
            #[allow(unreachable_pub, private_interfaces, private_bounds, reason = "visible as the trait is")]
            impl #generics #ty #where_clause {
                #(#moved)*
            }
        }
    }

    /// Outside of the trait's implementation `Self::Item` has to say of which trait it is.
    fn resolved(&self, tokens: TokenStream) -> TokenStream {
        let mut resolved = TokenStream::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), self.resolved(group.stream()));
                    inner.set_span(group.span());
                    resolved.extend([TokenTree::Group(inner)]);
                }
                TokenTree::Ident(own) if own == "Self" => {
                    let path: Vec<_> = std::iter::from_fn(|| tokens.next_if(is_colon)).take(2).collect();
                    let of = &self.of;
                    match tokens.peek() {
                        Some(TokenTree::Ident(name)) if path.len() == 2 && self.declares(name) => {
                            resolved.extend(quote!(<#own as #of>));
                        }
                        _ => resolved.extend(own.into_token_stream()),
                    }
                    resolved.extend(path);
                }
                token => resolved.extend([token]),
            }
        }
        resolved
    }

    /// Whether an item that stays has this name.
    fn declares(&self, name: &Ident) -> bool {
        self.items.iter().any(|item| match item {
            Item::Other(item) => match &**item {
                ImplItem::Type(ty) => ty.ident == *name,
                ImplItem::Const(constant) => constant.ident == *name,
                ImplItem::Fn(function) => function.sig.ident == *name,
                _ => false,
            },
            Item::Cached(_) => false,
        })
    }
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':')
}

impl Method {
    /// The method where it can have companions.
    fn moved(&self) -> TokenStream {
        let Self { attributes, signature, body } = self;
        let attributes = attributes.iter().map(|attribute| match &attribute.meta {
            Meta::List(list) if is_cached(attribute) => {
                let (path, options) = (&list.path, &list.tokens);
                quote!(#[#path(associated, #options)])
            }
            meta if is_cached(attribute) => quote!(#[#meta(associated)]),
            _ => attribute.to_token_stream(),
        });
        quote!(#[doc(hidden)] #(#attributes)* pub #signature #body)
    }

    /// The method of the trait, which calls that.
    fn left(&self) -> TokenStream {
        let mut signature = self.signature.clone();
        let name = &self.signature.ident;
        let mut arguments = Vec::new();
        for (index, input) in signature.inputs.iter_mut().enumerate() {
            arguments.push(match input {
                FnArg::Receiver(receiver) => receiver.self_token.to_token_stream(),
                FnArg::Typed(argument) => {
                    let name = match plain_name(&argument.pat) {
                        Some(name) => name.clone(),
                        None => format_ident!("__argument_{index}", span = Span::mixed_site()),
                    };
                    *argument.pat = syn::parse_quote!(#name);
                    name.to_token_stream()
                }
            });
        }
        let Attributes { conditions, outside, .. } = Attributes::sort(self.attributes.clone());
        let instance = instance(&self.signature.generics);
        let wait = self.signature.asyncness.map(|_| quote!(.await));
        let body = Group::new(Delimiter::Brace, quote!(Self::#name #instance(#(#arguments),*) #wait));
        quote!(#(#conditions)* #(#outside)* #signature #body)
    }
}
