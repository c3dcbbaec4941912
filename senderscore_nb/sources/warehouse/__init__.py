"""Mail in copies of HubSpot that Fivetran or Airbyte keep in a warehouse → enrollments."""

from senderscore_nb.sources.warehouse.read import read_warehouse

__all__ = ["read_warehouse"]
