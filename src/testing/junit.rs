//! Results in JUnit's XML, as build servers read them.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::report::Report;

impl Report {
    /// The results as JUnit XML: a suite for each file, a case for each case, a failure with its differences.
    #[must_use]
    pub fn junit(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let (cases, failed) = (self.cases().count(), self.failed());
        let _ = writeln!(
            out,
            "<testsuites name=\"larum test\" tests=\"{cases}\" failures=\"{failed}\" errors=\"{}\">",
            self.faults.len()
        );
        for suite in &self.suites {
            let failed = suite.cases.iter().filter(|case| !case.passed()).count();
            let name = escape(&suite.file);
            let _ = writeln!(
                out,
                "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\">",
                suite.cases.len(),
                suite.cases.iter().map(|case| case.took.as_secs_f64()).sum::<f64>()
            );
            for case in &suite.cases {
                let (title, time) = (escape(&case.name), case.took.as_secs_f64());
                let line = case.position.line;
                let _ = write!(
                    out,
                    "    <testcase classname=\"{name}\" name=\"{title}\" file=\"{name}\" line=\"{line}\" time=\"{time:.3}\""
                );
                if case.passed() {
                    out.push_str("/>\n");
                    continue;
                }
                let count = case.differences.len();
                let message = if count == 1 { "1 difference".to_owned() } else { format!("{count} differences") };
                let told = case.told(&suite.file);
                let _ = writeln!(
                    out,
                    ">\n      <failure message=\"{message}\">\n{}</failure>\n    </testcase>",
                    escape(&told)
                );
            }
            out.push_str("  </testsuite>\n");
        }
        for fault in &self.faults {
            let (name, message) = (escape(&*fault.source.name), escape(&fault.message));
            let text = fault.to_string();
            let text = escape(&text);
            let _ = writeln!(
                out,
                "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"1\">\n    <testcase classname=\"{name}\" name=\"the file\">\n      <error message=\"{message}\">{text}</error>\n    </testcase>\n  </testsuite>"
            );
        }
        out.push_str("</testsuites>\n");
        out
    }
}
