//! `#[cached(batch)]`: a function of many keys, each of which is cached on its own.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{GenericArgument, Ident, PathArguments, Type, spanned::Spanned};

use crate::{
    args::Args,
    argument::Argument,
    error::Mistakes,
    expand::{name_space_of, place_of, private, stack},
    model::Model,
    site::site,
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
    let (ids, ty) = (&keys.name, keys.ty());
    let key = element(keys).expect("it was checked");
    let pattern = &keys.written.pat;
    let mut preparation = TokenStream::new();
    let stack = stack(model, &mut preparation);
    let site = site(model);
    let at_output = private(model, place_of(output));
    let call = |verb: &str| {
        let verb = Ident::new(verb, Span::call_site());
        quote!(#preparation #at_output::#verb::<#output>(#name::__site(), #stack))
    };
    let of = |verb: &str, argument: TokenStream| {
        let verb = Ident::new(verb, Span::call_site());
        quote!(#preparation #at_output::#verb::<#output>(#name::__site(), #stack, #argument))
    };
    let many = of("many", quote!(#ids, #name::__load));
    let one = of("one", quote!(key, #name::__load));
    let (get, invalidate) = (of("get_many", quote!(keys)), of("invalidate_many", quote!(keys)));
    let cache = call("handle_of_many");
    let items = quote! {
        /// The body: nothing is cached.
        #(#of_the_body)*
        #visibility async fn uncached(#pattern: #ty) -> #output #body

        /// The value of one key. Calls within a moment of each other share one run of the body.
        #visibility async fn one(key: #key) -> <#output as #krate::__private::OfMany>::One {
            #one.await
        }

        /// The cached values. Loads nothing.
        #visibility async fn get(keys: #ty) -> ::std::collections::HashMap<#key, <#output as #krate::__private::OfMany>::Value> {
            #get.await
        }

        /// Revokes the entries, everywhere.
        #visibility async fn invalidate(keys: #ty) -> #krate::Result<()> {
            #invalidate.await
        }

        /// The function's cache.
        #visibility fn cache() -> #krate::Result<#krate::Cache<#key, <#output as #krate::__private::OfMany>::Value>> {
            #cache
        }

        /// What happened to the function's cache so far in this process.
        #visibility fn stats() -> #krate::Stats {
            #preparation
            #krate::__private::stats(#name::__site(), #stack)
        }

        #[doc(hidden)]
        fn __load(keys: #ty) -> #krate::__private::Loading<#output> {
            #krate::__private::boxed(#name::uncached(keys))
        }

        #site
    };
    let name_space = name_space_of(model, "they take many keys, and `one` takes one", items);
    quote! {
        #(#conditions)*
        #(#outside)*
        #(#lints)*
        #visibility async fn #name(#ids: #ty) -> #output {
            #many.await
        }

        #name_space
    }
}
