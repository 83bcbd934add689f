-- Runs once, when the container makes its data folder.
CREATE DATABASE shop;

CREATE TABLE shop.customers (
  id INT PRIMARY KEY AUTO_INCREMENT,
  name VARCHAR(100) NOT NULL,
  city VARCHAR(100)
);

CREATE TABLE shop.orders (
  id INT PRIMARY KEY AUTO_INCREMENT,
  customer_id INT NOT NULL,
  amount DECIMAL(10, 2) NOT NULL,
  state ENUM('new', 'paid', 'sent') NOT NULL DEFAULT 'new',
  placed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  FOREIGN KEY (customer_id) REFERENCES shop.customers (id)
);

INSERT INTO shop.customers (name, city)
VALUES ('Ada', 'London'), ('Edgar', 'San Jose'), ('Grace', NULL);

-- Exactly the grants that Tailwater needs.
CREATE USER tailwater@'%' IDENTIFIED BY 'tailwater';
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tailwater@'%';
GRANT SELECT ON shop.* TO tailwater@'%';
