# caught by: calls wait for one another
# TODO: write tests that pass on every right app, and fail on those with a bug
import httpx


async def get(url, path="/"):
    async with httpx.AsyncClient(timeout=None) as client:
        return await client.get(url + path)


async def test_it_answers(url, upstream):
    reply = await get(url)
    assert reply.status_code == 200
