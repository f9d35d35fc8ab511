//! On a phone, buttons, links and fields are at least 44 px high, and buttons are as wide (WCAG 2.2, 2.5.5).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::page::Page;
use crate::screens::{WALKS, Walk};

/// The targets that are too small, each as its markup, text and size. Links in a sentence are no targets: their line
/// is as high as that of the text around them. The target of a tick is its label.
const SMALL: &str = r"(() => {
    const MIN = 43.5;
    const isInSentence = (link) => getComputedStyle(link).display === 'inline'
        && link.parentElement.innerText.trim().length > link.innerText.trim().length + 3;
    const boxOf = (it) => {
        const label = ['checkbox', 'radio'].includes(it.type) ? it.labels[0] : null;
        return (label ?? it).getBoundingClientRect();
    };
    const isHidden = (it) => it.getBoundingClientRect().width <= 1 || it.getBoundingClientRect().bottom <= 0;
    const isSeen = (it) => it.checkVisibility({ visibilityProperty: true })
        && ![it, it.closest('thead'), it.closest('dialog > header')].some((part) => part && isHidden(part));
    const small = [...document.querySelectorAll('button, summary, select, textarea, input, a[href], [role=option]')]
        .filter((it) => isSeen(it) && !(it.matches('a') && isInSentence(it)))
        .map((it) => [it, boxOf(it)])
        .filter(([it, box]) => box.height < MIN || (box.width < MIN && it.matches('button, summary')));
    return small.map(([it, box]) => {
        const place = it.parentElement.tagName + '.' + it.parentElement.className + ' > ';
        const name = (it.ariaLabel ?? it.innerText).slice(0, 20);
        return `${place}${it.tagName}.${it.className} '${name}' ${box.width.toFixed(0)} x ${box.height.toFixed(0)}`;
    });
})()";

#[test]
fn targets_of_screens_are_large_enough_for_fingers() {
    are_large(&[WALKS[0], WALKS[2]]);
}

#[test]
fn targets_of_dialogs_are_large_enough_for_fingers() {
    are_large(&[WALKS[1], WALKS[3]]);
}

fn are_large(walks: &[Walk]) {
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut check = |page: &Page, screen: &str| {
        page.touches();
        assert_eq!(page.evaluate("matchMedia('(pointer: coarse)').matches"), true);
        let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
        let mut found = strings(&page.evaluate(SMALL));
        if wider.as_f64().unwrap() > 0.0 {
            found.push(format!("{wider} px wider than the window"));
        }
        for fault in found {
            faults.entry(fault).or_default().push(screen.to_owned());
        }
    };
    for walk in walks {
        walk("en", &mut check);
    }
    let reported =
        faults.iter().map(|(fault, screens)| format!("{fault}\n  on {}", screens.join(", ")));
    assert!(faults.is_empty(), "{}", reported.collect::<Vec<_>>().join("\n"));
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}
