//! The static part of a function, as code: what is known of its cache before any call.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

use crate::{
    args::Name,
    expand::{at, place_of, private},
    model::Model,
    setting::{Setting, Value},
};

/// Where the function keeps its cache. A method may be one of many, by the type that it is of, which its attribute can't see.
pub(crate) fn site(model: &Model) -> TokenStream {
    let Model { krate, generics, .. } = model;
    let it = model.companion("__site");
    if model.is_associated || model.is_generic() {
        let (me, spec, where_clause) = (model.path("__site"), spec(model, None), &generics.where_clause);
        return quote! {
            #[doc(hidden)]
            #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
            fn #it #generics() -> &'static #krate::__private::Site #where_clause {
                static SITES: #krate::__private::Sites = #krate::__private::Sites::new();
                SITES.of(&#me, || #spec)
            }
        };
    }
    let name = &model.name;
    let spec = spec(model, Some(quote!(.path(::core::any::type_name::<#name>))));
    quote! {
        #[doc(hidden)]
        fn #it() -> &'static #krate::__private::Site {
            static SITE: #krate::__private::Site = #krate::__private::Site::new(#spec);
            &SITE
        }
    }
}

pub(crate) fn spec(model: &Model, path: Option<TokenStream>) -> TokenStream {
    let Model { krate, site, .. } = model;
    let name = match &site.cache {
        None => path,
        Some(Name::Text(name)) => Some(quote!(.cache(#name))),
        Some(Name::Expr(name)) => {
            let place = place_of(name);
            let private = private(model, place);
            Some(quote_spanned!(place=> .named(|| #private::cache_name(#name))))
        }
    };
    let (policy, version) = (site.policy.iter(), site.version.iter());
    let overrides = overrides(model);
    quote! {
        #krate::__private::Spec::new()
            #name
            #(.policy(#policy))*
            #(.version(#version))*
            #overrides
    }
}

/// The fields of the policy that the attribute names; each is written at its option, where a message about its type belongs.
fn overrides(model: &Model) -> Option<TokenStream> {
    let settings = &model.site.settings;
    let fields = settings.iter().map(|Setting { name, value }| {
        let field = at(name, place_of(name));
        let value = setting(model, value);
        quote!(.#field(#value))
    });
    let krate = &model.krate;
    let in_l1 = (!model.is_async).then(|| quote!(.tiers(#krate::policy::Tiers::L1)));
    let any = !settings.is_empty() || in_l1.is_some();
    any.then(|| quote!(.overrides(|__overrides| __overrides #(#fields)* #in_l1)))
}

fn setting(model: &Model, value: &Value) -> TokenStream {
    let krate = &model.krate;
    match value {
        Value::Time(time) => duration(*time),
        Value::Fraction(fraction) => quote!(#fraction),
        Value::After(part) => quote!(#krate::policy::RefreshAhead::After(#part)),
        Value::XFetch(beta) => quote!(#krate::policy::RefreshAhead::XFetch { beta: #beta }),
        Value::Bounds(shortest, longest) => {
            let (shortest, longest) = (duration(*shortest), duration(*longest));
            quote!(#shortest, #longest)
        }
        Value::BoundsExpr(shortest, longest) => quote!(#shortest, #longest),
        Value::Tiers(variant) => {
            let variant = format_ident!("{variant}");
            quote!(#krate::policy::Tiers::#variant)
        }
        Value::Compression(variant) => {
            let variant = format_ident!("{variant}");
            quote!(#krate::Compression::#variant)
        }
        Value::Format(variant) => {
            let variant = format_ident!("{variant}");
            quote!(#krate::Format::#variant)
        }
        Value::Expr(expr) => quote!(#expr),
    }
}

pub(crate) fn duration(time: Duration) -> TokenStream {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
