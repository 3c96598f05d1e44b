//! The same requests as somebody would write them in Python with aiohttp.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::shape::Race;

const SCRIPT: &str = r#"
import asyncio, sys, time
import aiohttp

shape, addr, rows, width = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
fresh = shape in ("connect-topup", "tutom")
base = {"submits": 7030000000, "paynicorn": 7030000000, "connect-topup": 911000000, "tutom": 18600000000}[shape]
numbers = iter(range(rows))

async def ask(response, word):
    async with response as answer:
        text = await answer.text()
        assert word in text, text

async def worker(kept, submits):
    for row in numbers:
        phone = base + row
        if shape in ("submits", "paynicorn"):
            api = f"http://{addr}/trade/topup/api"
            if shape == "paynicorn":
                body = {"countryCode": "NG", "nationalPhoneNo": f"0{phone}"}
                await ask(kept.post(f"{api}/queryOperatorCode", json=body), "NG_MTN")
            body = {"transId": f"AIO{row:020}", "appKey": "T90B124766qU95d385O4", "countryCode": "NG", "bizType": "m_topup",
                    "operatorCode": "NG_MTN", "benefitNo": str(phone), "amount": 100, "memo": ""}
            await ask(submits.post(f"{api}/topup", json=body), "1200")
        elif shape == "connect-topup":
            query = {"username": "demo", "privatekey": "demo-private-key", "phone": f"*0{phone}", "sotien": "10000",
                     "checksum": "0f1e2d3c4b5a6978" * 4, "transidclient": f"AIO{row:020}"}
            await ask(submits.get(f"http://{addr}/apipayment/topup.jsp", params=query), "1;")
        else:
            api = f"http://{addr}/gateway/flowapi"
            query = {"appkey": "7bf7d2fd6d9c5012ae7c82ab7617", "mdn": str(phone)}
            await ask(kept.get(f"{api}/ListByPhone", params=query), "productlist")
            query |= {"orderid": f"AIO{row:020}", "sign": "0F1E2D3C4B5A6978" * 2, "productid": "23"}
            await ask(submits.get(f"{api}/OrderCreate", params=query), '"10"')

async def main():
    timeout = aiohttp.ClientTimeout(total=30)
    one = aiohttp.TCPConnector(limit=width)
    own = aiohttp.TCPConnector(limit=width, force_close=True)
    async with aiohttp.ClientSession(connector=one, timeout=timeout) as kept, \
            aiohttp.ClientSession(connector=own, timeout=timeout) as closing:
        started = time.perf_counter()
        await asyncio.gather(*(worker(kept, closing if fresh else kept) for _ in range(width)))
        print(time.perf_counter() - started)

asyncio.run(main())
"#;

/// The interpreter, if it has aiohttp.
pub fn python(name: &str) -> Option<String> {
    let mut command = Command::new(name);
    command.args(["-c", "import aiohttp"]).stderr(Stdio::null()).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success()).then(|| name.to_owned())
}

/// Seconds that all rows took.
pub fn run(python: &str, race: &Race) -> f64 {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(SCRIPT.as_bytes()).unwrap();
    let mut command = Command::new(python);
    let output = command.arg(file.path()).args(race.words()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the script failed");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
