//! Wrong about the registry.

use testkit::StubServer;

use super::*;

#[test]
fn a_registry_that_is_down_is_named() -> Result<()> {
    check("registry_down", Retry, &["127.0.0.1:1", "schema_registry.url"], |setup| {
        setup.settings.set("schema_registry.url", "http://127.0.0.1:1");
        Ok(Vec::new())
    })
}

#[test]
fn a_path_without_the_api_is_named_with_those_that_are_usual() -> Result<()> {
    check("registry_path", Exit(1), &["404", "schema_registry.url", "/apis/ccompat/v"], |setup| {
        let url = setup.address.registry_url.replace("/apis/ccompat/v6", "/no/such/path");
        setup.settings.set("schema_registry.url", url);
        Ok(Vec::new())
    })
}

#[test]
fn a_web_page_in_place_of_an_answer_is_said_to_be_one() -> Result<()> {
    let page = "<!DOCTYPE html><html><body>Welcome to our intranet</body></html>";
    let server = StubServer::start("200 OK", "text/html", page)?;
    let words = ["web page", "schema_registry.url", &server.address().to_string()];
    check("registry_html", Exit(1), &words, |setup| {
        setup.settings.set("schema_registry.url", server.url());
        Ok(Vec::new())
    })
}

#[test]
fn a_registry_that_wants_a_login_says_where_it_goes() -> Result<()> {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let body = r#"{"error_code":40101,"message":"Unauthorized"}"#;
        let server = StubServer::start(status, "application/json", body)?;
        let words = [&status[..3], "schema_registry.username"];
        check("registry_login", Exit(78), &words, |setup| {
            setup.settings.set("schema_registry.url", server.url());
            Ok(Vec::new())
        })?;
    }
    Ok(())
}

#[test]
fn a_registry_in_trouble_is_retried() -> Result<()> {
    let body = r#"{"error_code":50001,"message":"Error in the backend data store"}"#;
    let server = StubServer::start("500 Internal Server Error", "application/json", body)?;
    let address = server.address().to_string();
    check("registry_trouble", Retry, &["500", &address], |setup| {
        setup.settings.set("schema_registry.url", server.url());
        Ok(Vec::new())
    })
}
