//! The `#[cached]` attribute of `cache-core`.

mod args;
mod argument;
mod duration;
mod error;
mod expand;
mod function;
mod model;
mod template;

use proc_macro::TokenStream;

use crate::{args::Args, error::Mistakes, function::Function, model::Model};

/// Caches.
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    expansion(options.into(), item.into()).into()
}

/// The generated code; where there were mistakes, they and the function as it was, so that an editor still knows it.
fn expansion(options: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let mut mistakes = Mistakes::default();
    let args = Args::parse(options, &mut mistakes);
    let function = mistakes.keep(syn::parse2::<Function>(item.clone()));
    let model = function.map(|function| Model::new(args, function, &mut mistakes));
    match (mistakes.report(), model) {
        (None, Some(model)) => expand::expand(&model),
        (report, _) => quote::quote!(#item #report),
    }
}
