//! `#[cached(batch)]`: a function of many keys, each of which is cached on its own.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{GenericArgument, PathArguments, Type, ext::IdentExt, spanned::Spanned};

use crate::{
    args::Args,
    argument::Argument,
    error::Mistakes,
    expand::{place_of, private, stack},
    model::Model,
    site::spec,
};

const SHAPE: &str =
    "`#[cached(batch)]` goes on a function of many keys: `async fn users(ids: Vec<u64>) -> HashMap<u64, User>`";

/// The options that have no meaning for many keys.
pub(crate) fn check_options(args: &Args, place: Span, mistakes: &mut Mistakes) {
    let refused = [
        ("key", args.key.is_some()),
        ("skip", args.skip.is_some()),
        ("tags", !args.tags.is_empty()),
        ("validated", args.validated.is_some()),
        ("default_on_error", args.default_on_error.is_some()),
        ("to_the_end", args.to_the_end.is_some()),
        ("cache_if", args.cache_if.is_some()),
        ("cache_err", args.cache_err.is_some()),
        ("cache_none", !args.cache_none),
        ("associated", args.associated),
        ("when` and `unless", args.condition.is_some()),
    ];
    for (name, _) in refused.into_iter().filter(|(_, is_given)| *is_given) {
        mistakes.at(
            place,
            format!("`{name}` is about calls of one key, and `batch` takes many; use `cache_core::Cache::many` by hand for that"),
        );
    }
}

/// One argument that is a list, and a body that can be asked again.
pub(crate) fn check(model: &Model, mistakes: &mut Mistakes) {
    if !model.is_async || model.is_associated || model.is_generic() {
        mistakes.at(
            model.name.span(),
            format!("{SHAPE}; it is asynchronous, stands by itself, and has no type parameters"),
        );
    }
    if is_no_map(&model.output) {
        mistakes.at(model.output.span(), format!("{SHAPE}; it returns a `HashMap`, or a `Result` of one"));
    }
    match model.arguments.as_slice() {
        [keys] if element(keys).is_some() => {}
        [keys] => mistakes.at(keys.ty().span(), format!("{SHAPE}; the keys come as a `Vec`")),
        _ => mistakes.at(model.name.span(), format!("{SHAPE}; it has no other argument")),
    }
}

/// What is surely no `HashMap` under another name, and no `Result` of one.
fn is_no_map(output: &Type) -> bool {
    match output {
        Type::Path(path) => {
            let last = path.path.segments.last();
            last.is_some_and(|last| {
                ["Vec", "Option", "BTreeMap", "HashSet", "String"].iter().any(|name| last.ident == name)
            })
        }
        Type::Tuple(_) | Type::Array(_) | Type::Reference(_) => true,
        _ => false,
    }
}

/// `K` of `Vec<K>`.
fn element(keys: &Argument) -> Option<&Type> {
    let Type::Path(path) = keys.ty() else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Vec")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(element)) => Some(element),
        _ => None,
    }
}

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model { krate, visibility, name, output, body, .. } = model;
    let (conditions, outside) = (&model.attributes.conditions, &model.attributes.outside);
    let (lints, of_the_body) = (model.attributes.tolerances(), &model.attributes.body);
    let keys = &model.arguments[0];
    let (ids, ty, pattern) = (&keys.name, keys.ty(), &keys.written.pat);
    let key = element(keys).expect("it was checked");
    let plain = name.unraw();
    let [described, site, uncached] =
        ["", "_site", "_uncached"].map(|what| format_ident!("__{plain}{what}", span = name.span()));
    let mut preparation = TokenStream::new();
    let stack = stack(model, &mut preparation);
    let spec = spec(model, None);
    let at_output = private(model, place_of(output));
    let returned = quote_spanned!(place_of(output)=> type Output = #output;);
    let summary = format!(
        "What goes with the cached function [`{plain}`](fn@{plain}); they take many keys, and `one` takes one."
    );
    quote! {
        #(#conditions)*
        #(#outside)*
        #(#lints)*
        #visibility async fn #name(#ids: #ty) -> #output {
            #at_output::Batch::<#described>::call(#ids).await
        }

        #(#conditions)*
        #[doc = #summary]
        #[allow(non_camel_case_types, dead_code, reason = "a name space, called as its function is")]
        #visibility type #name = #krate::__private::Batch<#described>;

        #(#conditions)*
        #[doc(hidden)]
        #[allow(
            non_camel_case_types,
            missing_copy_implementations,
            missing_debug_implementations,
            reason = "it stands for the function"
        )]
        #visibility struct #described {}

        #(#conditions)*
        impl #krate::__private::FunctionOfMany for #described {
            type Key = #key;
            #returned

            fn site() -> &'static #krate::__private::Site {
                #site()
            }

            fn stack() -> ::core::option::Option<#krate::Stack> {
                #preparation
                ::core::option::Option::<&#krate::Stack>::cloned(#stack)
            }

            fn load(keys: #ty) -> #krate::__private::Loading<#output> {
                #krate::__private::boxed(#uncached(keys))
            }
        }

        #(#conditions)*
        #(#of_the_body)*
        async fn #uncached(#pattern: #ty) -> #output #body

        #(#conditions)*
        fn #site() -> &'static #krate::__private::Site {
            static SITES: #krate::__private::Sites = #krate::__private::Sites::new();
            SITES.of(&#site, || #spec)
        }
    }
}
