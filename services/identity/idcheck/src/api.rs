//! The contract's functions.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use stoa_idcheck_v1::{IdcheckService, ParseNumberRequest, ParseNumberResponse};
use stoa_kit::{Error, Result, View};

use crate::number::{self, Number};

/// Sweden's time in summer, when it is furthest ahead: a child of today may be born "tomorrow" in UTC.
const SWEDEN: Offset = Offset::constant(2);

/// Keeps the promises of `stoa.idcheck.v1`.
pub(crate) struct Idcheck;

impl IdcheckService for Idcheck {
    fn parse_number(
        &self, view: &View, request: ParseNumberRequest,
    ) -> Result<ParseNumberResponse> {
        let found = number::parse(&request.number, today(view)?).and_then(|found| {
            let wanted = request.kinds.iter().any(|kind| *kind == found.kind);
            if wanted { Ok(found) } else { Err(number::Fault::Kind) }
        });
        let found = found.map_err(|fault| Error::field("number", fault.rule(), fault.message()))?;
        let Number { kind, normal, birth_date, is_test } = found;
        let birth_date = birth_date.map(|date| date.to_string()).unwrap_or_default();
        Ok(ParseNumberResponse { kind: kind.into(), normal, birth_date, is_test })
    }
}

fn today(view: &View) -> Result<Date> {
    let now = Timestamp::from_microsecond(view.now().0).map_err(Error::internal)?;
    Ok(SWEDEN.to_datetime(now).date())
}
