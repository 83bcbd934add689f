//! `GET /`: a page that shows what `/status` says.
//!
//! The server writes all of it, so it needs no JavaScript. With JavaScript the page fetches itself
//! every 2 s and replaces the parts that changed, so that there is one place that writes them. The
//! Content-Security-Policy allows the one script and the one style by their hashes.

use std::sync::LazyLock;

use axum::{
    extract::State as Shared,
    http::header,
    response::{Html, IntoResponse},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Shown, status::status_answer};

mod chart;
mod parts;
mod pipeline;
mod text;

/// The page with `{{name}}` where a part comes.
const PAGE: &str = include_str!("page.html");

/// What the page may load and run.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag: &str| {
        let digest = openssl::sha::sha256(content(tag).as_bytes());
        format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
    };
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
});

pub(super) async fn page(Shared(shown): Shared<Shown>) -> impl IntoResponse {
    let answer = status_answer(&shown).await;
    let has_token = shown.access.has_token();
    let body = fill(PAGE, |name| parts::part(name, &answer, has_token));
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(body))
}

/// The template with its parts. What a part has is not searched for names.
fn fill(template: &str, part: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, name, after)) = rest.split_once("{{").and_then(|(before, rest)| {
        let (name, after) = rest.split_once("}}")?;
        Some((before, name, after))
    }) {
        filled.push_str(before);
        filled.push_str(&part(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What is in the page's one element of this name.
fn content(tag: &str) -> &'static str {
    let inside = PAGE.split_once(&format!("<{tag}>"));
    let inside = inside.and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    inside.map_or("", |(content, _)| content)
}

#[cfg(test)]
mod tests {
    use super::{PAGE, POLICY, content, fill};

    #[test]
    fn parts_come_where_their_names_are_and_are_not_read_again() {
        let filled = fill("a {{x}} b {{y}}", |name| format!("<{{{{{name}}}}}>"));
        assert_eq!(filled, "a <{{x}}> b <{{y}}>");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_runs_no_other_script() {
        for tag in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{tag}")).count(), 1, "{tag}");
            assert!(!content(tag).is_empty() && !content(tag).contains("{{"), "{tag}");
        }
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://"));
        for handler in ["onclick", "onload", "onerror", "onsubmit", "javascript:"] {
            assert!(!PAGE.contains(handler), "{handler}");
        }
        assert!(!PAGE.contains("style="), "the policy allows no style of an element");
        assert!(POLICY.contains("script-src 'sha256-"), "{}", *POLICY);
        assert!(!POLICY.contains("unsafe"));
    }
}
