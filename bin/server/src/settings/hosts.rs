use serde::{Deserialize, Deserializer, de::Error};

/// A value of the `Host` header that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedHost {
    /// `*`.
    Any,
    /// Just this name or address, in lower case.
    Exactly(String),
    /// `*.example.com`: every name below `example.com`, and not that itself.
    Below(String),
}

impl AllowedHost {
    /// Whether a `Host` header fits, whatever port it names.
    pub fn admits(&self, header: &str) -> bool {
        let name = without_port(header.trim()).trim_end_matches('.').to_ascii_lowercase();
        match self {
            AllowedHost::Any => true,
            AllowedHost::Exactly(host) => name == *host,
            AllowedHost::Below(domain) => name
                .strip_suffix(domain.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|sub| !sub.is_empty()),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Ok(AllowedHost::Any);
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (without_port(&text), false),
        };
        let ipv6 = name.starts_with('[') && name.ends_with(']');
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if name.is_empty() || !(plain || ipv6 && !below) {
            return Err("expected host names, like api.example.com, *.example.com or *".to_owned());
        }
        Ok(if below { AllowedHost::Below(name.to_owned()) } else { AllowedHost::Exactly(name.to_owned()) })
    }
}

impl<'de> Deserialize<'de> for AllowedHost {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(reader)?).map_err(D::Error::custom)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => {
            // A bare IPv6 address in brackets has colons of its own.
            if name.starts_with('[') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_without_port_and_case() {
        let host = AllowedHost::parse("API.example.com").unwrap();
        assert!(host.admits("api.EXAMPLE.com:8000"));
        assert!(!host.admits("api.example.com.evil.org"));
        assert!(!host.admits(""));
    }

    #[test]
    fn a_star_admits_names_below_a_domain_only() {
        let host = AllowedHost::parse("*.example.com").unwrap();
        assert!(host.admits("a.b.example.com"));
        assert!(!host.admits("example.com"));
        assert!(!host.admits(".example.com"));
        assert!(!host.admits("evilexample.com"));
    }

    #[test]
    fn an_ipv6_address_keeps_its_colons() {
        let host = AllowedHost::parse("[::1]").unwrap();
        assert!(host.admits("[::1]:8000"));
        assert!(host.admits("[::1]"));
        assert!(!host.admits("[::2]:8000"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in ["", "https://example.com", "a b", "exa*mple.com", "*.", "a/b"] {
            assert!(AllowedHost::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
