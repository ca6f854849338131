//! A text that is drawn anew in the place of the one before.

use unicode_width::UnicodeWidthStr;

/// What a terminal shows, as far as it was drawn here.
#[derive(Debug, Default)]
pub struct Screen {
    /// Rows above the cursor that the last text takes.
    drawn: usize,
}

impl Screen {
    /// What draws a text in the place of the one before, on a terminal of so many columns and rows: what
    /// is below its end is left out, for nobody could go back to its start.
    pub fn draw(&mut self, text: &str, (columns, rows): (usize, usize)) -> String {
        let back = match self.drawn {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\r\x1b[J"),
        };
        let lines: Vec<(&str, usize)> =
            text.lines().map(|line| (line, height(line, columns))).collect();
        let whole: usize = lines.iter().map(|(_, height)| height).sum();
        // The cursor stands below, and what is left out is told in a line.
        let room = rows.saturating_sub(1).max(1);
        let room = if whole > room { room - 1 } else { room };
        let mut taken = 0;
        let shown = lines.iter().take_while(|(_, height)| {
            taken += height;
            taken <= room
        });
        let shown: Vec<_> = shown.collect();
        self.drawn = shown.iter().map(|(_, height)| height).sum();
        let mut out = back;
        for (line, _) in &shown {
            out += &format!("{line}\n");
        }
        if shown.len() < lines.len() {
            self.drawn += 1;
            out += &format!("… {} more lines\n", lines.len() - shown.len());
        }
        out
    }
}

/// How many rows a line takes.
fn height(line: &str, columns: usize) -> usize {
    let plain = line.replace("\x1b[1m", "").replace("\x1b[0m", "");
    plain.width().div_ceil(columns.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen on a terminal where this is printed: a row a line.
    fn seen(terminal: &mut Vec<String>, printed: &str) {
        let text = match printed.strip_prefix("\x1b[") {
            Some(rest) => {
                let (up, rest) = rest.split_once("A\r\x1b[J").unwrap();
                terminal.truncate(terminal.len() - up.parse::<usize>().unwrap());
                rest
            }
            None => printed,
        };
        terminal.extend(text.lines().map(str::to_owned));
    }

    #[test]
    fn a_text_takes_the_place_of_the_one_before() {
        let (mut screen, mut terminal) = (Screen::default(), vec!["before".to_owned()]);
        for text in ["a\nb\n", "c\n", "\x1b[1mNAME\x1b[0m\nd\ne\n"] {
            seen(&mut terminal, &screen.draw(text, (4, 5)));
            assert_eq!(terminal[1..].join("\n"), text.trim_end());
        }
        assert_eq!(terminal[0], "before");
    }

    #[test]
    fn what_is_too_long_ends_where_the_terminal_does() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw("1\n2\n3\n4\n5\n", (10, 4)), "1\n2\n… 3 more lines\n");
        assert_eq!(screen.draw("1\n2\n3\n", (10, 4)), "\x1b[3A\r\x1b[J1\n2\n3\n");
        // A long line takes several rows, and a wide sign two columns.
        let again = screen.draw("12345\n漢字漢\n3\n", (4, 6));
        assert_eq!(again, "\x1b[3A\r\x1b[J12345\n漢字漢\n3\n");
        assert!(screen.draw("x\n", (4, 6)).starts_with("\x1b[5A"));
    }
}
