//! XML: what `xml`, `json` and `xpath` make of it, and that nothing hostile takes long or gets through.

use std::thread;

use larum::expression::{JsonScope, Partials, Template};
use serde_json::{Value, json};

use crate::now;

fn evaluated(template: &str, variables: &Value) -> Result<Value, String> {
    let template = Template::compile(template, &Partials::default()).unwrap();
    template.evaluate(&JsonScope::new(json!({"variables": variables}), now(), 1)).map_err(|error| error.message)
}

fn selected(xml: &str, xpath: &str) -> Result<Value, String> {
    evaluated("@xpath(xml(variables.xml), variables.xpath)", &json!({"xml": xml, "xpath": xpath}))
}

/// The rest of the message after «cannot be converted to XML: ».
fn refused(xml: &str) -> String {
    let message = evaluated("@xml(variables.xml)", &json!({"xml": xml})).unwrap_err();
    message.split_once("cannot be converted to XML: ").unwrap().1.to_owned()
}

#[test]
fn xpath_gives_texts_numbers_and_booleans() {
    const XML: &str = "<r><i n='1' k='a'>x<![CDATA[<y>]]></i><i n='2'>z</i><!--c--><?p d?></r>";
    for (xpath, expected) in [
        ("//i/text()", json!(["x<y>", "z"])),
        ("//@n", json!(["1", "2"])),
        ("//comment()", json!(["c"])),
        ("//processing-instruction('p')", json!(["d"])),
        ("sum(//@n)", json!(3.0)),
        ("count(//i[@k])", json!(1.0)),
        ("//i[2] = 'z'", json!(true)),
        ("string(//i)", json!("x<y>")),
        ("concat(name(/*), '-', local-name(//i[1]))", json!("r-i")),
        ("//i[last()]/preceding-sibling::i/@n", json!(["1"])),
        ("/r/i[position() > 1]/text() | //i[1]/@k", json!(["a", "z"])),
        ("//nothing", json!([])),
        ("normalize-space('  a  b ')", json!("a b")),
    ] {
        assert_eq!(selected(XML, xpath), Ok(expected), "{xpath}");
    }
}

#[test]
fn a_selected_element_takes_its_namespaces_along() {
    let xml = "<a xmlns='urn:one' xmlns:p='urn:two'><p:b c='1'><d/></p:b></a>";
    let text = evaluated("@string(first(xpath(xml(variables.xml), '//*[local-name()=''b'']')))", &json!({"xml": xml}));
    assert_eq!(text, Ok(json!("<p:b c=\"1\" xmlns:p=\"urn:two\"><d xmlns=\"urn:one\" /></p:b>")));
}

#[test]
fn newtonsofts_conventions_hold_both_ways() {
    let there_and_back = |value: Value| evaluated("@json(xml(variables.value))", &json!({"value": value}));
    for value in [
        json!({"a": {"@id": "1", "#text": "text"}}),
        json!({"a": {"b": ["1", "2"], "c": null, "d": ""}}),
        json!({"?xml": {"@version": "1.0"}, "p:a": {"@xmlns:p": "urn:p", "p:b": {"@p:c": "1"}}}),
        json!({"a": {"@xmlns": "urn:a", "b": {"#cdata-section": "<x>"}}}),
        json!({"first name": {"@its kind": "x", "_x0020_": "y"}}),
    ] {
        assert_eq!(there_and_back(value.clone()), Ok(value));
    }
    let marked = "<a xmlns:json='http://james.newtonking.com/projects/json'><b json:Array='true'>1</b></a>";
    assert_eq!(evaluated("@json(xml(variables.xml))", &json!({"xml": marked})), Ok(json!({"a": {"b": ["1"]}})));
    assert_eq!(
        evaluated("@{xml(variables.value)}", &json!({"value": {"a": {"n": [1, 2.5, true, null, [3]], "e": []}}})),
        Ok(json!("<a><n>1</n><n>2.5</n><n>true</n><n /><n><n>3</n></n></a>"))
    );
}

#[test]
fn what_is_no_xml_says_why() {
    for (xml, why) in [
        ("<a>&custom;</a>", "it refers to the unknown entity 'custom'."),
        ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "it refers to the unknown entity 'e'."),
        ("<a>&#0;</a>", "it refers to the unknown entity '#0'."),
        ("<p:a/>", "the prefix 'p' is not declared."),
        ("<a b='1' b='2'/>", "the attribute 'b' is written twice."),
        ("<!DOCTYPE a><!DOCTYPE a><a/>", "it has several document types."),
        ("<a/><b/>", "it has several root elements."),
        ("<a>", "it ends before its root element does."),
        ("text", "it has text outside of its root element."),
        ("<a>\u{1}</a>", "it has the character U+0001, which XML forbids."),
        ("<1a/>", "'1a' is no name."),
        ("<a b='<'/>", "the attribute 'b' has a '<' in it."),
        ("<a/><?xml version='1.0'?>", "its declaration does not stand at the start."),
        ("<a>]]></a>", "it has ']]>' in a text."),
        ("", "it has no root element."),
    ] {
        assert_eq!(refused(xml), why, "{xml}");
    }
    assert!(refused("<a></b>").contains("expected"), "{}", refused("<a></b>"));
}

#[test]
fn what_is_no_xpath_says_why() {
    for (xpath, why) in [
        ("//p:a", "the XPath has a prefix, and nothing says what it stands for: write *[local-name()='name']"),
        ("//a[", "the XPath cannot be read"),
        ("nope()", "the XPath fails: unknown function: nope"),
        ("number('x')", "gives no number: the XPath comes to NaN or infinity"),
    ] {
        let message = selected("<a/>", xpath).unwrap_err();
        assert!(message.contains(why), "{xpath}: {message}");
    }
}

#[test]
fn nothing_hostile_gets_through_or_takes_long() {
    let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
    assert_eq!(refused(&deep), "its elements are nested deeper than 100 levels.");
    let wide = format!("<a>{}</a>", "<b/>".repeat(250_000));
    assert_eq!(refused(&wide), "it has more than 250000 nodes.");
    let attributed = format!("<a>{}</a>", "<b c='' d='' e=''/>".repeat(62_500));
    assert_eq!(refused(&attributed), "it has more than 250000 nodes.");
    let declared: String = (0..300).map(|at| format!(" xmlns:p{at}='u'")).collect();
    assert_eq!(refused(&format!("<a{declared}/>")), "more than 200 prefixes are declared around one element.");
    assert_eq!(refused(&" ".repeat(17 * 1024 * 1024)), "it is longer than 16777216 bytes.");
    let attributes: String = (0..100_000).map(|at| format!(" a{at}='1'")).collect();
    assert_eq!(selected(&format!("<a{attributes}/>"), "count(/a/@*)"), Ok(json!(100_000.0)));
    let attributes: String = (0..250_000).map(|at| format!(" a{at}=''")).collect();
    assert_eq!(refused(&format!("<a{attributes}/>")), "it has more than 250000 nodes.");

    let many = format!("<r>{}</r>", "<a><b>text</b></a>".repeat(20_000));
    assert!(selected(&many, "//*[count(//b) > 1]").unwrap_err().contains("the XPath takes more than 2000000 steps"));
    assert_eq!(selected(&many, "count(//b[. = 'text'])"), Ok(json!(20_000.0)));
}

/// Bounds on an XPath keep its recursion within the smallest stack that Larum evaluates on.
#[test]
fn no_xpath_exhausts_the_stack() {
    const STACK: usize = 2 * 1024 * 1024;
    let long = [
        "-".repeat(100) + "1",
        "1".to_owned() + &"+1".repeat(100),
        "1".to_owned() + &"=1".repeat(100),
        "1".to_owned() + &"*1".repeat(100),
        "a".to_owned() + &"|a".repeat(100),
        "a".to_owned() + &"/a".repeat(500),
        "a".to_owned() + &" or a".repeat(200),
        "1".to_owned() + &" mod 1".repeat(165),
        "(".repeat(16) + "1" + &")".repeat(16),
        "not(".repeat(16) + "1" + &")".repeat(16),
        "a[".repeat(16) + "1" + &"]".repeat(16),
        "a".to_owned() + &"[1]".repeat(300),
    ];
    for xpath in long {
        let shown = xpath.clone();
        let thread = thread::Builder::new().stack_size(STACK);
        let evaluated = thread.spawn(move || selected("<a/>", &xpath)).unwrap().join().unwrap();
        let refused = evaluated.as_ref().err().filter(|message| !message.contains("NaN"));
        assert_eq!(refused, None, "{shown}");
    }
    for xpath in ["(".repeat(17), "a".repeat(1025), "-".repeat(101), "1".to_owned() + &"+1".repeat(101)] {
        assert!(selected("<a/>", &xpath).is_err());
    }
}
