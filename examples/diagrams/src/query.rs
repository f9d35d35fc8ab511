//! Query parameters, compared without case where clients differ.
//!
//! A parameter is given once, if it is not a list. Parameters without a meaning are ignored, because clients send
//! options of other exports too.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::refusal::Faults;

/// The decoded parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query {
    values: BTreeMap<String, String>,
    /// The values of parameters that may be given several times, in their order.
    lists: BTreeMap<String, Vec<String>>,
}

impl Query {
    /// Reads a query. The parameters in `lists` may be given several times.
    pub(crate) fn of(text: Option<&str>, lists: &[&str], faults: &mut Faults) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            let (name, value) = (name.into_owned(), value.into_owned());
            if lists.contains(&name.as_str()) {
                query.lists.entry(name).or_default().push(value);
                continue;
            }
            if query.values.contains_key(&name) {
                faults.add(format!("?{name}"), "must be given once");
            }
            query.values.insert(name, value);
        }
        query
    }

    /// The values of a parameter that may be given several times.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.lists.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The words of a list. Some clients repeat the parameter, others separate words with commas.
    pub(crate) fn words(&self, name: &str, words_max: usize, faults: &mut Faults) -> Vec<String> {
        let words = self.list(name).iter().flat_map(|value| value.split(',')).map(str::trim);
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        let words: Vec<String> = words.take(words_max + 1).collect();
        if words.len() > words_max {
            faults.add(format!("?{name}"), format!("must have at most {words_max} words"));
        }
        words
    }

    /// A whole number in a range.
    pub(crate) fn whole(
        &self,
        name: &str,
        range: RangeInclusive<u32>,
        faults: &mut Faults,
    ) -> Option<u32> {
        let text = self.values.get(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (start, end) = range.into_inner();
            faults.add(format!("?{name}"), format!("must be a whole number from {start} to {end}"));
        }
        number
    }

    /// A number in a range.
    pub(crate) fn number(
        &self,
        name: &str,
        range: RangeInclusive<f64>,
        faults: &mut Faults,
    ) -> Option<f64> {
        let text = self.values.get(name)?;
        // NaN is in no range.
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (start, end) = range.into_inner();
            faults.add(format!("?{name}"), format!("must be a number from {start} to {end}"));
        }
        number
    }

    /// A choice. Python sends `True`, other clients `true`.
    pub(crate) fn flag(&self, name: &str, faults: &mut Faults) -> Option<bool> {
        self.choice(name, &[("true", true), ("false", false)], faults)
    }

    /// One of several words, compared without case.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
        faults: &mut Faults,
    ) -> Option<T> {
        let text = self.values.get(name)?;
        let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            faults.add(format!("?{name}"), format!("must be one of {}", words.join(", ")));
        }
        chosen.map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_reported() {
        let mut faults = Faults::default();
        let text = "width=800&height=wide&scale=NaN&grid=True&landscape=maybe&other=1&x=1&x=2";
        let query = Query::of(Some(text), &[], &mut faults);
        assert_eq!(query.whole("width", 1..=1000, &mut faults), Some(800));
        assert_eq!(query.whole("depth", 1..=1000, &mut faults), None);
        assert_eq!(query.flag("grid", &mut faults), Some(true));
        assert_eq!(query.whole("height", 1..=1000, &mut faults), None);
        assert_eq!(query.number("scale", 0.1..=10.0, &mut faults), None);
        assert_eq!(query.flag("landscape", &mut faults), None);
        let body = faults.none_or(()).unwrap_err().into_answer();
        let body: serde_json::Value = serde_json::from_slice(body.body()).unwrap();
        let places: Vec<_> =
            body["errors"].as_array().unwrap().iter().map(|it| it["pointer"].clone()).collect();
        assert_eq!(places, ["?x", "?height", "?scale", "?landscape"]);
    }

    #[test]
    fn words_are_repeated_or_separated_by_commas() {
        let mut faults = Faults::default();
        let text = "a=x&a=y%2Cz&a=,%20,&b=1&b=2";
        let query = Query::of(Some(text), &["a", "b", "c"], &mut faults);
        assert_eq!(query.words("a", 3, &mut faults), ["x", "y", "z"]);
        assert!(query.words("c", 0, &mut faults).is_empty());
        assert_eq!(query.list("b"), ["1", "2"]);
        let _too_many = query.words("b", 1, &mut faults);
        let answer = faults.none_or(()).unwrap_err().into_answer();
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["error"], "?b: must have at most 1 words");
    }
}
