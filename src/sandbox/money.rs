//! Amounts as whole numbers of the smallest unit the provider counts in; text in, text out, no floats.

/// Reads a plain decimal (`1000`, `46.0000`) as minor units: no sign, no exponent, no separators, no
/// spaces; at most `scale` digits after the point, zeros beyond them aside.
pub fn minor(text: &str, scale: u32) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let kept = usize::try_from(scale).ok()?;
    let (fine, rest) = fraction.split_at(fraction.len().min(kept));
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let unit = 10_i64.checked_pow(scale)?;
    let fine: i64 = if kept == 0 { 0 } else { format!("{fine:0<kept$}").parse().ok()? };
    whole.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(fine)
}

/// Writes minor units with exactly `scale` digits after the point.
pub fn shown(minor: i64, scale: u32) -> String {
    let unit = 10_u64.saturating_pow(scale);
    let size = minor.unsigned_abs();
    let sign = if minor < 0 { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) | Err(_) => format!("{sign}{size}"),
        Ok(width) => format!("{sign}{}.{:0width$}", size / unit, size % unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_go_in_and_out_without_loss() {
        for (text, scale, units) in
            [("46.0000", 4, 460_000), ("46", 4, 460_000), ("0.05", 2, 5), ("20000", 0, 20_000)]
        {
            assert_eq!(minor(text, scale), Some(units), "{text}");
        }
        assert_eq!(shown(460_000, 4), "46.0000");
        assert_eq!(shown(5, 2), "0.05");
        assert_eq!(shown(20_000, 0), "20000");
        assert_eq!(shown(-5, 2), "-0.05");
    }

    #[test]
    fn anything_but_a_plain_decimal_is_no_amount() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,000", " 1", "0.001", "99999999999999999999"] {
            assert_eq!(minor(text, 2), None, "{text}");
        }
    }
}
